package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"traveler.example/drivers/emulate"
)

func (a *app) emulateCommand() *cobra.Command {
	return a.group("emulate", "Stand in for a device on a pseudo-terminal",
		`Stand in for a device, at the level of the wire, on a pseudo-terminal behind
--pty. Commands are read from standard input, one a line (help lists them), and
a line is printed for each thing the host did.`,
		a.emulatePN532(), a.emulateScale())
}

func (a *app) emulatePN532() *cobra.Command {
	var pty string
	var cfg emulate.PN532Config
	c := a.command("pn532 --pty PATH", "Emulate an RFID reader", "",
		func(ctx context.Context, _ []string) error { return a.emulate(ctx, pty, emulate.NewPN532(cfg)) })
	c.Example = "  printf 'present 04A1B2C3D4E5F6 ntag213\\n' | traveler emulate pn532 --pty /tmp/reader"
	c.Flags().StringVar(&pty, "pty", "", "path of a symbolic link to make, which the host opens as its port")
	c.Flags().IntVar(&cfg.Baud, "baud", 115200, "speed that the chip expects")
	c.Flags().BoolVar(&cfg.Paced, "paced", false, "take the time that a real line and tag take")
	_ = c.MarkFlagRequired("pty") // the flag is defined above
	return c
}

func (a *app) emulateScale() *cobra.Command {
	var pty string
	c := a.command("scale --pty PATH", "Emulate a scale that speaks MT-SICS", "",
		func(ctx context.Context, _ []string) error { return a.emulate(ctx, pty, emulate.NewScale()) })
	c.Example = "  echo 'weigh 12.5 g' | traveler emulate scale --pty /tmp/scale"
	c.Flags().StringVar(&pty, "pty", "", "path of a symbolic link to make, which the host opens as its port")
	_ = c.MarkFlagRequired("pty") // the flag is defined above
	return c
}

// emulate runs a device until its commands end.
func (a *app) emulate(ctx context.Context, pty string, device emulate.Device) error {
	socket, err := emulate.Plug(pty, device)
	if err != nil {
		return hintf(err, "--pty names a link that is made; its directory must be there and writable")
	}
	fmt.Fprintf(a.out, "plugged in at %s\n", socket.Path())
	err = emulate.Console(ctx, socket, a.in, a.out)
	return errors.Join(err, socket.Close())
}
