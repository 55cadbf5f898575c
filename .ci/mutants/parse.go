package main

import (
	"fmt"
	"strings"
)

// parse reads faults.txt: for each fault
//
//	## what is wrong, in words
//	test: PACKAGE TestName [KEY=VALUE …]
//	file: path/of/the/file.go
//	<<<<
//	text that stands there once
//	====
//	text that replaces it
//	>>>>
//
// Other lines are prose.
func parse(text string) ([]fault, error) {
	var faults []fault
	var f *fault
	var into *string
	for i, line := range strings.Split(text, "\n") {
		wrong := func(what string) error { return fmt.Errorf("faults.txt:%d: %s", i+1, what) }
		switch {
		case into != nil && line == "====":
			into = &f.new
		case into != nil && line == ">>>>":
			into = nil
			if f.old == "" || f.old == f.new {
				return nil, wrong("a fault replaces some text by another")
			}
		case into != nil:
			*into += line + "\n"
		case strings.HasPrefix(line, "## "):
			faults = append(faults, fault{name: strings.TrimPrefix(line, "## ")})
			f = &faults[len(faults)-1]
		case strings.HasPrefix(line, "test: "), strings.HasPrefix(line, "file: "), line == "<<<<":
			if f == nil {
				return nil, wrong("it belongs to no fault; a fault begins with ##")
			}
			words := strings.Fields(line)
			switch {
			case line == "<<<<":
				into = &f.old
			case words[0] == "file:":
				f.file = words[1]
			case len(words) < 3:
				return nil, wrong("test: needs package and name")
			default:
				f.pkg, f.testName, f.env = words[1], words[2], words[3:]
			}
		}
	}
	for _, f := range faults {
		if f.pkg == "" || f.file == "" || f.old == "" {
			return nil, fmt.Errorf("faults.txt: %q lacks its test, its file or its text", f.name)
		}
	}
	return faults, nil
}
