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
)

// settle is how long a reader that has come up is given to tell what lies on it.
const settle = 300 * time.Millisecond

func (a *app) readerCommand() *cobra.Command {
	return a.group("reader", "Try a reader on a port",
		`Try a reader. PORT is a serial port, best one of /dev/serial/by-id, an SPI port
(/dev/spidev0.0), an I2C bus (/dev/i2c-1), an input device (/dev/input/by-id/…) or
HOST:PORT of a reader on the network. Only the port that is named is opened and
written to. Which reader it is, is found out; --device says it, and is quicker.`,
		a.readerProbe(), a.readerWatch(), a.readerRead(), a.readerWrite(), a.readerRecord(), a.readerPlay())
}

// probed is what reader probe prints for programs.
type probed struct {
	Port    string      `json:"port"`
	Device  string      `json:"device"`
	Model   string      `json:"model"`
	Baud    int         `json:"baud,omitempty"` // of serial ports
	Tags    []probedTag `json:"tags"`
	Profile string      `json:"profile"` // lines for the profile
}

type probedTag struct {
	ID         string `json:"id"`
	Technology string `json:"technology"`
}

func (a *app) readerProbe() *cobra.Command {
	var f readerFlags
	c := a.command("probe PORT", "Say which device is on a port, and which tags lie on it",
		`Say which reader or scale is on a port, with the lines that it needs in the
profile. A serial port is listened at first, for some readers speak by themselves;
then it is asked at the usual speeds, the least disturbing question first. That
takes some ten seconds where nothing answers. Nothing is changed in the device.`,
		func(ctx context.Context, args []string) error {
			doc, err := a.probe(ctx, args[0], f)
			if err != nil {
				return portHint(args[0], err)
			}
			return a.print(doc, doc.print)
		})
	return f.add(c)
}

func (d probed) print(w io.Writer) {
	fmt.Fprintf(w, "%s on %s", cmp.Or(d.Model, d.Device), d.Port)
	if d.Baud != 0 {
		fmt.Fprintf(w, ", %d baud", d.Baud)
	}
	fmt.Fprintln(w)
	for _, tag := range d.Tags {
		fmt.Fprintf(w, "tag %s (%s)\n", tag.ID, tag.Technology)
	}
	if len(d.Tags) == 0 && !isScale(d.Device) {
		fmt.Fprintln(w, "no tag on it")
	}
	fmt.Fprintf(w, "\nin the profile:\n\n%s", d.Profile)
}

// probe finds out what is on the port, and which tags lie on it.
func (a *app) probe(ctx context.Context, port string, f readerFlags) (probed, error) {
	found, err := f.find(ctx, port)
	if err != nil {
		return probed{}, err
	}
	doc := probed{Port: port, Device: found.device, Model: found.model, Baud: found.baud, Tags: []probedTag{}}
	if !isScale(found.device) {
		if err := a.lookAround(ctx, port, f, found, &doc); err != nil {
			return doc, err
		}
	}
	doc.Profile = found.profile(stable(port))
	return doc, nil
}

// lookAround waits for the reader to come up, and a little longer for the tags
// that lie on it.
func (a *app) lookAround(ctx context.Context, port string, f readerFlags, found found, doc *probed) error {
	r, err := f.driver(port, found, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	up := false
	err = drivers.Watch(ctx, r, func(e drivers.Event) (bool, error) {
		switch e.Kind {
		case drivers.Up:
			up, doc.Model = true, cmp.Or(r.Info().Model, doc.Model)
			time.AfterFunc(settle, cancel)
		case drivers.Down:
			return true, fmt.Errorf("no %s answers on %s: %w", found.device, port, e.Err)
		case drivers.Present, drivers.Arrived:
			doc.Model = cmp.Or(r.Info().Model, doc.Model) // some show what they are by what they say
			doc.Tags = append(doc.Tags, probedTag{e.Tag.ID, string(e.Tag.Technology)})
		}
		return false, nil
	})
	if up && errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
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
	c := a.command("watch PORT", "Show what a reader sees, until interrupted",
		"Show what a reader sees: tags that lie on it, arrive and depart, and the reader's own ups and downs. --json prints one object a line.",
		func(ctx context.Context, args []string) error {
			found, err := f.find(ctx, args[0])
			if err != nil {
				return portHint(args[0], err)
			}
			r, err := f.driver(args[0], found, nil)
			if err != nil {
				return err
			}
			return a.watch(ctx, r, events)
		})
	c.Flags().IntVar(&events, "events", 0, "end after so many events; 0: watch until interrupted")
	return f.add(c)
}

// watch prints the events of a reader: so many, or until a person has seen enough.
func (a *app) watch(ctx context.Context, r drivers.Reader, events int) error {
	seen := 0
	err := drivers.Watch(ctx, r, func(e drivers.Event) (bool, error) {
		seen++
		return events > 0 && seen >= events, a.printEvent(r, e)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
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
