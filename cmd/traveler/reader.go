package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"traveler.example/drivers"
	"traveler.example/drivers/pn532"
)

// settle is how long a reader that has come up is given to tell what lies on it.
const settle = 300 * time.Millisecond

func (a *app) readerCommand() *cobra.Command {
	return a.group("reader", "Try a reader on a port",
		"Try a reader. Only the port that is named is opened and written to.", a.readerProbe(), a.readerWatch())
}

// readerFlags name a reader.
type readerFlags struct {
	port, device string
	baud         int
}

func (f *readerFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.port, "port", "", "device path, best one of /dev/serial/by-id")
	c.Flags().StringVar(&f.device, "device", "pn532", "driver")
	c.Flags().IntVar(&f.baud, "baud", pn532.DefaultBaud, "line speed in bit/s")
	_ = c.MarkFlagRequired("port") // the flag is defined above
	return c
}

func (f *readerFlags) open() (drivers.Reader, error) {
	if f.device != "pn532" {
		return nil, usage(hintf(fmt.Errorf("--device %q has no driver", f.device), "readers with a driver: pn532"))
	}
	return pn532.New(pn532.Config{Name: "reader", Port: f.port, Open: drivers.Serial{Path: f.port, Baud: f.baud}.Open})
}

// run hands each event of the reader to see until that is done or fails, or ctx
// ends.
func (f *readerFlags) run(ctx context.Context, see func(r drivers.Reader, e drivers.Event) (done bool, err error)) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	events, ended := make(chan drivers.Event), make(chan error, 1)
	go func() { ended <- r.Run(ctx, events) }()
	defer func() {
		cancel()
		for {
			select {
			case <-events: // Run may be sending still
			case <-ended:
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-events:
			if done, err := see(r, e); done || err != nil {
				return err
			}
		}
	}
}

// probed is what reader probe prints for programs.
type probed struct {
	Port   string      `json:"port"`
	Device string      `json:"device"`
	Model  string      `json:"model"`
	Tags   []probedTag `json:"tags"`
}

type probedTag struct {
	ID         string `json:"id"`
	Technology string `json:"technology"`
}

func (a *app) readerProbe() *cobra.Command {
	var f readerFlags
	c := a.command("probe --port PORT", "Say what reader is on a port and which tags lie on it", "",
		func(ctx context.Context, _ []string) error {
			doc, err := a.probe(ctx, &f)
			if errors.Is(err, errUsage) {
				return err
			}
			if err != nil {
				return fmt.Errorf("no %s answers on %s: %w", f.device, f.port, err)
			}
			return a.print(doc, func(w io.Writer) {
				fmt.Fprintf(w, "%s on %s\n", doc.Model, doc.Port)
				for _, tag := range doc.Tags {
					fmt.Fprintf(w, "tag %s (%s)\n", tag.ID, tag.Technology)
				}
				if len(doc.Tags) == 0 {
					fmt.Fprintln(w, "no tag on it")
				}
			})
		})
	return f.add(c)
}

// probe waits for the reader to come up, and a little longer for the tags that
// lie on it.
func (a *app) probe(ctx context.Context, f *readerFlags) (probed, error) {
	doc := probed{Port: f.port, Device: f.device, Tags: []probedTag{}}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	up := false
	err := f.run(ctx, func(r drivers.Reader, e drivers.Event) (bool, error) {
		switch e.Kind {
		case drivers.Up:
			up, doc.Model = true, r.Info().Model
			time.AfterFunc(settle, cancel)
		case drivers.Down:
			return true, e.Err
		case drivers.Present, drivers.Arrived:
			doc.Tags = append(doc.Tags, probedTag{e.Tag.ID, string(e.Tag.Technology)})
		}
		return false, nil
	})
	if up && errors.Is(err, context.Canceled) {
		err = nil
	}
	return doc, err
}

// watched is one event as reader watch prints it for programs.
type watched struct {
	Time       time.Time `json:"time"`
	Event      string    `json:"event"`
	Tag        string    `json:"tag,omitempty"`
	Technology string    `json:"technology,omitempty"`
	Reads      int       `json:"reads,omitempty"`
	Model      string    `json:"model,omitempty"`
	Error      string    `json:"error,omitempty"`
}

func (a *app) readerWatch() *cobra.Command {
	var f readerFlags
	var events int
	c := a.command("watch --port PORT", "Show what a reader sees, until interrupted",
		"Show what a reader sees: tags that lie on it, arrive and depart, and the reader's own ups and downs. --json prints one object a line.",
		func(ctx context.Context, _ []string) error {
			seen := 0
			err := f.run(ctx, func(r drivers.Reader, e drivers.Event) (bool, error) {
				seen++
				return events > 0 && seen >= events, a.printEvent(r, e)
			})
			if errors.Is(err, context.Canceled) {
				return nil // a person has seen enough
			}
			return err
		})
	c.Flags().IntVar(&events, "events", 0, "end after so many events; 0: watch until interrupted")
	return f.add(c)
}

func (a *app) printEvent(r drivers.Reader, e drivers.Event) error {
	doc := watched{Time: e.At.UTC(), Event: e.Kind.String(), Tag: e.Tag.ID, Technology: string(e.Tag.Technology), Reads: e.Reads}
	if e.Kind == drivers.Up {
		doc.Model = r.Info().Model
	}
	if e.Err != nil {
		doc.Error = e.Err.Error()
	}
	if a.json {
		return a.printJSONLine(doc)
	}
	_, err := fmt.Fprintf(a.out, "%s %-8s %s\n", e.At.Local().Format("15:04:05.000"), doc.Event, cmp.Or(doc.Tag, doc.Model, doc.Error))
	return err
}
