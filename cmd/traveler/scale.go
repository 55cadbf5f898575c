package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"traveler.example/drivers"
	"traveler.example/drivers/scale"
)

func (a *app) scaleCommand() *cobra.Command {
	return a.group("scale", "Try a scale on a port",
		`Try a scale. PORT is a serial port, best one of /dev/serial/by-id; only the port
that is named is opened and written to. Protocol and speed are found out, or given
by --device and --baud. A scale that speaks MT-SICS is reset by the next program
that uses it, and forgets its tare then.`,
		a.scaleAction("weigh", "Ask a scale for one stable weight", (*scale.Scale).Weigh),
		a.scaleAction("zero", "Take what lies on a scale, which should be nothing, for zero", silently((*scale.Scale).Zero)),
		a.scaleAction("tare", "Take what lies on a scale for the container", silently((*scale.Scale).Tare)),
		a.scaleAction("clear-tare", "Have a scale forget the container", silently((*scale.Scale).ClearTare)))
}

// weighed is what the scale commands print for programs.
type weighed struct {
	Port   string `json:"port"`
	Model  string `json:"model"`
	Action string `json:"action"`
	Weight *int64 `json:"weight_mg,omitempty"` // of weigh
}

func silently(do func(*scale.Scale, context.Context) error) func(*scale.Scale, context.Context) (drivers.Weight, error) {
	return func(s *scale.Scale, ctx context.Context) (drivers.Weight, error) { return 0, do(s, ctx) }
}

func (a *app) scaleAction(name, short string, do func(*scale.Scale, context.Context) (drivers.Weight, error)) *cobra.Command {
	var device string
	var baud int
	c := a.command(name+" PORT", short, "", func(ctx context.Context, args []string) error {
		x, err := findScale(ctx, args[0], device, baud)
		if err != nil {
			return portHint(args[0], err)
		}
		line := drivers.Serial{Path: args[0], Baud: x.baud}
		if x.evenParity {
			line.DataBits, line.Parity = 7, drivers.ParityEven
		}
		s, err := scale.New(scale.Config{Name: args[0], Port: args[0], Open: line.Open, Protocol: x.protocol})
		if err != nil {
			return err
		}
		doc := weighed{Port: args[0], Action: name}
		var weight drivers.Weight
		err = a.withScale(ctx, s, func(ctx context.Context) (err error) {
			weight, err = do(s, ctx)
			doc.Model = s.Info().Model
			return err
		})
		if err != nil {
			return portHint(args[0], err)
		}
		if name == "weigh" {
			doc.Weight = (*int64)(&weight)
		}
		return a.print(doc, func(w io.Writer) {
			if doc.Weight != nil {
				fmt.Fprintln(w, weight)
			} else {
				fmt.Fprintf(w, "%s: done\n", name)
			}
		})
	})
	c.Flags().StringVar(&device, "device", "", "what it speaks, if it is known: "+scaleSICS+", "+scaleAD)
	c.Flags().IntVar(&baud, "baud", 0, "line speed in bit/s, with --device (default 9600)")
	return c
}

// scaleFound is a scale on a port.
type scaleFound struct {
	protocol   scale.Protocol
	baud       int
	evenParity bool
}

func findScale(ctx context.Context, port, device string, baud int) (scaleFound, error) {
	switch {
	case device != "" && !isScale(device):
		return scaleFound{}, usage(hintf(fmt.Errorf("--device %q has no driver", device), "scales with a driver: %s, %s", scaleSICS, scaleAD))
	case device != "":
		if baud == 0 {
			baud = scale.DefaultBaud
		}
		return scaleFound{protocol: scaleProtocols[device], baud: baud}, nil
	case baud != 0:
		return scaleFound{}, usage(hintf(errors.New("--baud is given without --device"), "without --device the speed is found out"))
	}
	x, err := findSerial(ctx, port)
	if err != nil {
		return scaleFound{}, err
	}
	if !isScale(x.device) {
		return scaleFound{}, hintf(fmt.Errorf("%s on %s is no scale", x.model, port), "traveler reader probe PORT tells what is on a port")
	}
	return scaleFound{protocol: scaleProtocols[x.device], baud: x.baud, evenParity: x.evenParity}, nil
}

var scaleProtocols = map[string]scale.Protocol{scaleSICS: scale.SICS, scaleAD: scale.AD}

// withScale has do work while the scale is up.
func (a *app) withScale(ctx context.Context, s *scale.Scale, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(a.timeout, scale.DefaultPatience))
	defer cancel()
	did := make(chan error, 1)
	began := false
	err := drivers.Watch(ctx, s, func(e drivers.Event) (bool, error) {
		switch {
		case e.Kind == drivers.Up && !began:
			began = true
			go func() {
				did <- do(ctx)
				cancel()
			}()
		case e.Kind == drivers.Down && !began:
			return true, e.Err
		}
		return false, nil
	})
	if began {
		return <-did
	}
	return err
}
