package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) stationCommand() *cobra.Command {
	return a.group("station", "What an operator says beside scanning",
		"Answer a station's question, enter what was measured, or give up what waits.\nThe light shows what comes of it.",
		a.stationChooseCommand(), a.stationEnterCommand(), a.stationCancelCommand())
}

func (a *app) stationChooseCommand() *cobra.Command {
	return a.command("choose ITEM", "Answer CHOOSE: which of the items on the tag is meant",
		"Answer CHOOSE: which of the open items that have the tag lies on the reader.",
		func(ctx context.Context, args []string) error {
			return a.operate(ctx, agent.OperatorWord{Item: args[0]}, "chosen: "+args[0])
		})
}

func (a *app) stationEnterCommand() *cobra.Command {
	var item, failure, note string
	var measured []string
	c := a.command("enter [--item ITEM] [--measure NAME=VALUE,UNIT]… [--fail TEXT]", "Enter what was measured, or that the operation failed",
		"Enter what no device measures for the item at the station: measurements, a failure, a note.\nWithout --item it is the item that the light speaks of.",
		func(ctx context.Context, _ []string) error {
			form := ledger.Form{Failed: failure != "", Failure: failure, Note: note}
			for _, m := range measured {
				parsed, err := parseMeasurement(m)
				if err != nil {
					return hintf(err, "write it like --measure bore=12.03,mm")
				}
				form.Measurements = append(form.Measurements, parsed)
			}
			if len(form.Measurements) == 0 && failure == "" && note == "" {
				return hintf(errors.New("nothing was entered"), "give --measure, --fail or --note")
			}
			return a.operate(ctx, agent.OperatorWord{Item: item, Form: &form}, "entered")
		})
	flags := c.Flags()
	flags.StringVar(&item, "item", "", "printed id, tag or id of the item")
	flags.StringArrayVar(&measured, "measure", nil, "a measurement, like bore=12.03,mm; may be repeated")
	flags.StringVar(&failure, "fail", "", "the operation failed: how")
	flags.StringVar(&note, "note", "", "a note for the report")
	return c
}

func (a *app) stationCancelCommand() *cobra.Command {
	return a.command("cancel", "Give up what lies on the readers and waits",
		"Give up what lies on the readers and waits. What is recorded stays: see traveler item withdraw.\nWhile help is called this ends the call, and nothing else.",
		func(ctx context.Context, _ []string) error {
			return a.operate(ctx, agent.OperatorWord{Cancel: true}, "given up")
		})
}

func (a *app) operate(ctx context.Context, w agent.OperatorWord, done string) error {
	return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
		if err := d.Operate(ctx, w); err != nil {
			return explainItem(w.Item, err)
		}
		return a.print(map[string]string{"said": done}, func(out io.Writer) { fmt.Fprintln(out, done) })
	})
}

// parseMeasurement reads NAME=VALUE,UNIT.
func parseMeasurement(s string) (ledger.Measurement, error) {
	name, rest, ok := strings.Cut(s, "=")
	number, unit, unitOK := strings.Cut(rest, ",")
	if !ok || !unitOK {
		return ledger.Measurement{}, fmt.Errorf("measurement %q has no value or no unit", s)
	}
	if unit = strings.TrimSpace(unit); unit == "" || unit[0] >= '0' && unit[0] <= '9' {
		return ledger.Measurement{}, fmt.Errorf("measurement %q: %q is no unit, and decimals are written with a point", s, unit)
	}
	value, exponent, err := ledger.ParseDecimal(strings.TrimSpace(number))
	if err != nil {
		return ledger.Measurement{}, fmt.Errorf("measurement %s: %w", name, err)
	}
	return ledger.Measurement{Name: name, Value: value, Exponent: exponent, Unit: unit}, nil
}
