package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
)

func (a *app) lampTestCommand() *cobra.Command {
	return a.command("lamp-test", "Switch on each lamp and buzzer of a station by itself",
		`Switch on each lamp and then the buzzer by itself, light after light, for a person at
the station to see and hear. What a scan says meanwhile is shown at once.`,
		func(ctx context.Context, _ []string) error {
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				tests, err := d.TestLights(ctx)
				if err != nil {
					return err
				}
				if err := a.print(tests, func(w io.Writer) { showLampTests(w, tests) }); err != nil {
					return err
				}
				return lampTestFailed(tests)
			})
		})
}

func showLampTests(w io.Writer, tests []agent.LampTest) {
	s := newSheet(w)
	lamps := false
	for _, t := range tests {
		switch {
		case t.Problem != "":
			s.value(t.Light, "FAILED: "+t.Problem)
		case len(t.Parts) == 0:
			s.value(t.Light, "lines of text, which have no lamp")
		default:
			lamps = true
			s.value(t.Light, strings.Join(t.Parts, ", "))
		}
	}
	s.flush()
	switch {
	case len(tests) == 0:
		fmt.Fprintln(w, "the profile of this gateway names no light")
	case lamps:
		fmt.Fprintln(w, "Each of them was switched on by itself, in this order. One that did not come on: check\nits wiring, and its pin and active_low in the profile.")
	}
}

// lampTestFailed makes what went wrong the command's error.
func lampTestFailed(tests []agent.LampTest) error {
	var failed []string
	for _, t := range tests {
		if t.Problem != "" {
			failed = append(failed, t.Light)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return hintf(errors.New("could not be tested: "+strings.Join(failed, ", ")), "a scan ends the test: try again; else check the pins in the profile")
}
