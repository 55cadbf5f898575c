package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/term"
)

// confirm has a person say yes to what was told just before. Where nobody can be
// asked --yes must have said it.
func (a *app) confirm(yes bool, question string) error {
	switch {
	case yes:
		return nil
	case !a.prompt.possible():
		return usage(hintf(errors.New("nothing was done: this must be confirmed, and there is no terminal to ask at"), "repeat it with --yes"))
	}
	fmt.Fprintf(a.err, "%s\r\n", question)
	answer, err := a.prompt.line(func(t *term.Terminal) (string, error) {
		t.SetPrompt("yes or no: ")
		return t.ReadLine()
	})
	if err != nil {
		return fmt.Errorf("asking: %w", err)
	}
	if w := strings.ToLower(strings.TrimSpace(answer)); w != "yes" && w != "y" {
		return hintf(errors.New("nothing was done"), "answer yes to have it done")
	}
	return nil
}
