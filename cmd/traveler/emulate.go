package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"traveler.example/drivers/emulate"
)

func (a *app) emulateCommand() *cobra.Command {
	return a.group("emulate", "Stand in for a device on a pseudo-terminal or the network",
		`Stand in for a device, at the level of the wire: a host opens what --pty or
--listen names as it would the device. Commands are read from standard input,
one a line; "help" lists those of the device, "quit" ends it. A line is printed
for each thing the host did.

"fault NAME" has the device fail in a way that devices do, until "fault NAME off":
every one can be deaf and dumb (silence), speak at another speed (baud), put noise
on its line (garbage), send byte after byte (fragment), answer late (delay) and be
unplugged (unplug). A tag that is presented again has kept what was written to it.

Devices on SPI, and readers that type like a keyboard, have no line that another
program could open; they are rehearsed with a serial reader instead.`,
		a.emulatePN532(), a.emulateASCII125(), a.emulateM100(), a.emulateLLRP(), a.emulateScale())
}

func (a *app) emulatePN532() *cobra.Command {
	var cfg emulate.PN532Config
	c := a.emulator("pn532", "Emulate a PN532, a reader of 13.56 MHz tags", `
  present 04A1B2C3D4E5F6 ntag213   a tag comes: its identifier and, if not the
                                   usual one of that length, its type
  remove                           all tags go
  fault forget                     the chip loses its settings once, as by a dip of its power`,
		func() (emulate.Device, error) { return emulate.NewPN532(cfg), nil })
	c.Example = "  printf 'present 04A1B2C3D4E5F6 ntag213\\n' | traveler emulate pn532 --pty /tmp/reader"
	c.Flags().IntVar(&cfg.Baud, "baud", 115200, "speed that the chip expects")
	c.Flags().BoolVar(&cfg.Paced, "paced", false, "take the time that a real line and tag take")
	return c
}

func (a *app) emulateASCII125() *cobra.Command {
	cfg := emulate.ASCII125Config{Model: emulate.ModelRDM6300}
	c := a.emulator("ascii125", "Emulate a reader of 125 kHz or 134.2 kHz tags that only speaks", `
  present 0A00F1B2C3   a tag comes: ten hex digits; for a wl134 the fifteen
                       decimal digits of an ear tag
  remove               it goes
  repeat off           the reader tells of a tag once, as it may be set to`,
		func() (emulate.Device, error) {
			d, err := emulate.NewASCII125(cfg)
			return d, misusedFlag("--model", err)
		})
	c.Example = "  printf 'present 0A00F1B2C3\\n' | traveler emulate ascii125 --pty /tmp/reader"
	c.Flags().StringVar(&cfg.Model, "model", cfg.Model,
		strings.Join([]string{emulate.ModelRDM6300, emulate.ModelID12, emulate.ModelWL134}, ", "))
	c.Flags().BoolVar(&cfg.Paced, "paced", false, "take the time that a real line takes")
	return c
}

func (a *app) emulateM100() *cobra.Command {
	var cfg emulate.M100Config
	framing := "bb"
	c := a.emulator("m100", "Emulate a serial UHF reader on the M100 chip", `
  present 3034257BF7194E4000001A85 ucode-7xm-2k -50
                                   a tag comes: EPC, and if need be its chip and
                                   how strong it answers, in dBm
  rssi 3034257BF7194E4000001A85 -80   it is farther away now
  fault forget                     the module loses its settings once, as after sleep`,
		func() (emulate.Device, error) {
			if framing != "bb" && framing != "aa" {
				return nil, misusedFlag("--framing", fmt.Errorf("no framing %q, there are: bb aa", framing))
			}
			cfg.AA = framing == "aa"
			return emulate.NewM100(cfg), nil
		})
	c.Example = "  printf 'present 3034257BF7194E4000001A85\\n' | traveler emulate m100 --pty /tmp/reader"
	c.Flags().IntVar(&cfg.Baud, "baud", 115200, "speed of the module after power-up")
	c.Flags().StringVar(&framing, "framing", framing, "bytes around each frame: bb (BB…7E: M100, YRM100) or aa (AA…DD: R200)")
	c.Flags().BoolVar(&cfg.Mute, "mute", false, "say nothing of a round that found no tag, as some firmware does")
	c.Flags().BoolVar(&cfg.Paced, "paced", false, "take the time that a real line and tag take")
	return c
}

func (a *app) emulateScale() *cobra.Command {
	protocol := emulate.SpeakSICS
	c := a.emulator("scale", "Emulate a scale that speaks MT-SICS or A&D's standard format", `
  weigh 12.5 g            what the display shows
  weigh 12.5 g unstable   the load moves
  print                   its print key is pressed
  fault overload          the load is beyond what it takes`,
		func() (emulate.Device, error) {
			d := emulate.NewScale()
			return d, misusedFlag("--protocol", d.Speak(protocol))
		})
	c.Example = "  echo 'weigh 12.5 g' | traveler emulate scale --pty /tmp/scale"
	c.Flags().StringVar(&protocol, "protocol", protocol, "mt-sics, or of A&D: and (echoes commands), and-ak (acknowledges), and-mute")
	return c
}

func (a *app) emulateLLRP() *cobra.Command {
	var cfg emulate.LLRPConfig
	var listen string
	c := a.command("llrp --listen HOST:PORT", "Emulate a fixed UHF reader on the network", `Emulate a fixed UHF reader with four antennas that speaks LLRP. Among its commands:
  present 3034257BF7194E4000001A85 2 -60   a tag comes before antenna 2
  remove                                   all tags go
  fault antenna                            antenna 1 is unplugged
  fault refuse                             another client is connected`,
		func(ctx context.Context, _ []string) error {
			dock, err := emulate.Listen(listen, emulate.NewLLRP(cfg))
			if err != nil {
				return hintf(err, "--listen names an address of this machine and a free port, such as 127.0.0.1:5084")
			}
			fmt.Fprintf(a.out, "listens at %s\n", dock.Address())
			err = emulate.Console(ctx, dock, a.in, a.out)
			return errors.Join(err, dock.Close())
		})
	c.Example = "  printf 'present 3034257BF7194E4000001A85 1\\n' | traveler emulate llrp --listen 127.0.0.1:5084"
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:5084", "where it is reached; port 0 takes a free one")
	c.Flags().DurationVar(&cfg.Round, "round", 0, "time from one inventory to the next (default 10ms)")
	return c
}

// emulator is a command that stands in for a serial device.
func (a *app) emulator(name, short, commands string, device func() (emulate.Device, error)) *cobra.Command {
	var pty string
	c := a.command(name+" --pty PATH", short, short+". Among its commands:"+commands,
		func(ctx context.Context, _ []string) error {
			d, err := device()
			if err != nil {
				return err
			}
			return a.emulate(ctx, pty, d)
		})
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

// misusedFlag makes an error of a flag's value one of the command line.
func misusedFlag(flag string, err error) error {
	if err == nil {
		return nil
	}
	return usage(fmt.Errorf("%s: %w", flag, err))
}
