package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/drivers"
	"traveler.example/ledger"
)

func (a *app) itemAmend() *cobra.Command {
	var values []string
	var weight string
	var body ledger.Amend
	c := a.command("amend ITEM --reason TEXT [--value NAME=VALUE,UNIT]…", "Have the gateway correct what it last said of an item",
		`Have the gateway that is asked put new values to its own last report or verdict
on an item: measurements, weight, failure, note. The first values stay to be seen.
Outcome, parts and where the item goes are not amended: traveler item withdraw
takes the word back, and quality rules with item dispose.`,
		func(ctx context.Context, args []string) error {
			if err := amendment(&body, values, weight); err != nil {
				return err
			}
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error {
				receipt, err := d.Amend(ctx, args[0], body)
				if err != nil {
					return explainItem(args[0], err)
				}
				return a.print(receipt, func(w io.Writer) {
					fmt.Fprintf(w, "what this gateway last said of %s is amended: %s\n", args[0], receiptLine(receipt))
				})
			})
		})
	c.Example = "  traveler item amend BR-0007 --value bore=12.01,mm --reason 'misread' --socket /run/traveler/control.sock"
	flags := c.Flags()
	flags.StringArrayVar(&values, "value", nil, "new value of a measurement, like bore=12.03,mm; may be given again")
	flags.StringVar(&weight, "weight", "", "new weight, like 12.5 g")
	flags.StringVar(&body.Failure, "fail", "", "new words on the failure")
	flags.StringVar(&body.Note, "note", "", "new note")
	flags.StringVar(&body.Reason, "reason", "", "why")
	_ = c.MarkFlagRequired("reason") // the flag is defined above
	return c
}

// amendment reads the new values.
func amendment(body *ledger.Amend, values []string, weight string) error {
	for _, v := range values {
		m, err := parseMeasurement(v)
		if err != nil {
			return usage(hintf(err, "write it like --value bore=12.03,mm"))
		}
		body.Measurements = append(body.Measurements, m)
	}
	if weight != "" {
		mg, err := parseMass(weight)
		if err != nil {
			return err
		}
		body.Weight = mg
	}
	if len(body.Measurements) == 0 && body.Weight == 0 && body.Failure+body.Note == "" {
		return usage(hintf(errors.New("nothing is amended"), "give --value, --weight, --fail or --note"))
	}
	return nil
}

// bindFlags say which tags an item is to have.
type bindFlags struct {
	agent.BindQuery
	key string
}

func (a *app) itemBind() *cobra.Command {
	var f bindFlags
	c := a.command("bind ITEM [--tag TAG]… [--free TAG]… [--supersede]", "Tie other tags to an item",
		`Have the gateway that is asked and that holds the item bind tags to it, or have
quality do it for any item (--key). --free takes a tag from the item that is lost
or was on the wrong one; --supersede takes all tags that it has.`,
		func(ctx context.Context, args []string) error {
			if len(f.Tags)+len(f.Free) == 0 && !f.Replace {
				return usage(hintf(errors.New("no tag is named"), "give --tag, --free or --supersede"))
			}
			return a.withDesk(ctx, func(ctx context.Context, d agent.Desk) error { return a.bind(ctx, d, args[0], f) })
		})
	c.Example = "  traveler item bind BR-0007 --tag 04A1B2C3D4E5F6 --supersede --socket /run/traveler/control.sock\n  traveler item bind BR-0007 --free 04A1B2C3D4E5F6 --key people/quinn.key"
	flags := c.Flags()
	flags.StringArrayVar(&f.Tags, "tag", nil, "tag that the item has from now on; may be given again")
	flags.StringArrayVar(&f.Free, "free", nil, "tag that the item has no longer; may be given again")
	flags.BoolVar(&f.Replace, "supersede", false, "the item has none of its former tags any longer")
	flags.StringVar(&f.key, "key", "", "file of a key with the role quality (default: the gateway binds, which holds the item)")
	return c
}

func (a *app) bind(ctx context.Context, d agent.Desk, item string, f bindFlags) error {
	var receipt agent.Receipt
	var err error
	if f.key == "" {
		receipt, err = d.Bind(ctx, item, f.BindQuery)
	} else {
		receipt, err = a.bindSigned(ctx, d, item, f)
	}
	if err != nil {
		return explainItem(item, err)
	}
	return a.print(receipt, func(w io.Writer) {
		fmt.Fprintf(w, "%s is bound%s: %s\n", item, boundWords(f.BindQuery), receiptLine(receipt))
	})
}

// bindSigned binds with quality's word.
func (a *app) bindSigned(ctx context.Context, d agent.Desk, item string, f bindFlags) (agent.Receipt, error) {
	now, err := d.Bindings(ctx, item)
	if err != nil {
		return agent.Receipt{}, err
	}
	body, err := agent.BindBody(now, f.BindQuery)
	if err != nil {
		return agent.Receipt{}, err
	}
	return a.submit(ctx, d, f.key, ledger.RoleQuality, ledger.Tx{Item: now.Item, Body: body})
}

func boundWords(q agent.BindQuery) string {
	var words string
	if len(q.Tags) > 0 {
		words += " to " + strings.Join(q.Tags, ", ")
	}
	switch {
	case q.Replace:
		words += ", and to no former tag"
	case len(q.Free) > 0:
		words += ", no longer to " + strings.Join(q.Free, ", ")
	}
	return strings.TrimPrefix(words, ",")
}

// parseMass reads a mass as people write it, in mg.
func parseMass(text string) (int64, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	w, err := drivers.ParseWeight(number, strings.TrimSpace(unit))
	if err != nil || w <= 0 {
		return 0, usage(hintf(fmt.Errorf("--weight %q is no mass above zero", text), "write it like --weight '12.5 g': g, kg or mg"))
	}
	return int64(w), nil
}
