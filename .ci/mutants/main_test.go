package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFaultsFit keeps the faults in step with the product: each must still find
// the one place that it breaks.
func TestFaultsFit(t *testing.T) {
	text, err := os.ReadFile("faults.txt")
	if err != nil {
		t.Fatal(err)
	}
	faults, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) < 12 {
		t.Errorf("%d faults, want at least 12", len(faults))
	}
	root := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join("..", "..", name)) }
	for _, f := range faults {
		if _, err := f.apply(root); err != nil {
			t.Error(err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no fault":    "test: ./x TestX\n",
		"no name":     "## a\ntest: ./x\n",
		"no file":     "## a\ntest: ./x TestX\n<<<<\na\n====\nb\n>>>>\n",
		"no change":   "## a\ntest: ./x TestX\nfile: x.go\n<<<<\na\n====\na\n>>>>\n",
		"nothing old": "## a\ntest: ./x TestX\nfile: x.go\n<<<<\n====\na\n>>>>\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
