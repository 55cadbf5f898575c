package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/board"
	"traveler.example/drivers/llrp"
	"traveler.example/drivers/m100"
	"traveler.example/drivers/mfrc522"
	"traveler.example/drivers/nfctag"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/probe"
	"traveler.example/drivers/wedge"
)

// readers are the words of --device, as profiles use them.
var readers = []string{"pn532", "mfrc522", "ascii125", "m100", "wedge", "llrp"}

// readerFlags say more of the reader on a port.
type readerFlags struct {
	device   string
	baud     int
	antennas []int
	keys     []string
}

func (f *readerFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.device, "device", "", "driver, if it is known: "+strings.Join(readers, ", "))
	c.Flags().IntVar(&f.baud, "baud", 0, "line speed in bit/s, with --device (default: the usual one of the device)")
	c.Flags().IntSliceVar(&f.antennas, "antennas", []int{1}, "antennas of a reader on the network")
	c.Flags().StringSliceVar(&f.keys, "key", nil, "key of a MIFARE Classic, 12 hex digits, tried besides the public ones")
	return c
}

// wiring is the kind of a port.
type wiring uint8

const (
	onSerial wiring = iota
	onSPI
	onI2C
	onInput
	onNetwork
)

// wiringOf tells the kind of a port by its name, and that of the node it leads to.
func wiringOf(port string) wiring {
	if host, number, err := net.SplitHostPort(port); err == nil && host != "" && number != "" && !strings.Contains(port, "/") {
		return onNetwork
	}
	real, err := filepath.EvalSymlinks(port)
	if err != nil {
		real = port
	}
	switch base := filepath.Base(real); {
	case strings.HasPrefix(base, "spidev"):
		return onSPI
	case strings.HasPrefix(base, "i2c-"):
		return onI2C
	case strings.HasPrefix(real, "/dev/input/"):
		return onInput
	}
	return onSerial
}

// found is the device on a port.
type found struct {
	device, model string // the device as profiles call it
	baud          int    // of a serial port, else 0
	evenParity    bool   // with seven data bits, as scales of A&D have it
}

func isScale(device string) bool { return device == scaleSICS || device == scaleAD }

// The words of a profile's [scale] device.
const (
	scaleSICS = "mt-sics"
	scaleAD   = "a-d"
)

// find says what is on the port: as the flags have it, or by asking.
func (f readerFlags) find(ctx context.Context, port string) (found, error) {
	kind := wiringOf(port)
	if f.device != "" {
		if !slices.Contains(readers, f.device) {
			return found{}, usage(hintf(fmt.Errorf("--device %q has no driver", f.device), "readers with a driver: %s", strings.Join(readers, ", ")))
		}
		x := found{device: f.device, baud: f.baud}
		if x.baud == 0 && kind == onSerial {
			x.baud = map[string]int{"pn532": pn532.DefaultBaud, "m100": m100.DefaultBaud, "ascii125": ascii125.DefaultBaud}[f.device]
		}
		return x, nil
	}
	if f.baud != 0 {
		return found{}, usage(hintf(errors.New("--baud is given without --device"), "without --device the speed is found out"))
	}
	switch kind {
	case onSerial:
		return findSerial(ctx, port)
	case onI2C:
		return found{device: "pn532"}, nil
	case onInput:
		return found{device: "wedge"}, nil
	case onNetwork: // readers take one client at a time, and are slow to see that one has left: no try in between
		return found{device: "llrp"}, nil
	}
	return f.findSPI(ctx, port)
}

// findSPI tries the drivers of chips on SPI, the one with a version register first:
// reading that is nothing to a chip that is another.
func (f readerFlags) findSPI(ctx context.Context, port string) (found, error) {
	var failed []error
	for _, device := range []string{"mfrc522", "pn532"} {
		x := found{device: device}
		r, err := f.driver(port, x, nil)
		if err != nil {
			return x, err
		}
		info, err := probe.Up(ctx, r)
		if err == nil {
			x.model = info.Model
			return x, nil
		}
		failed = append(failed, fmt.Errorf("no %s answers on %s: %w", device, port, err))
	}
	return found{}, errors.Join(failed...)
}

func findSerial(ctx context.Context, port string) (found, error) {
	x, err := probe.Serial{Path: port}.Find(ctx)
	if err != nil {
		return found{}, err
	}
	device := x.Driver
	switch {
	case device == "scale" && strings.HasPrefix(x.Model, "MT-SICS"):
		device = scaleSICS
	case device == "scale":
		device = scaleAD
	}
	return found{device: device, model: x.Model, baud: x.Line.Baud, evenParity: x.Line.Parity == drivers.ParityEven}, nil
}

// driver makes the driver of a reader on a port. Through, if set, gets between the
// driver and a port that carries a stream of bytes.
func (f readerFlags) driver(port string, x found, through func(drivers.Opener) drivers.Opener) (drivers.Reader, error) {
	const name = "reader"
	keys, err := classicKeys(f.keys)
	if err != nil {
		return nil, err
	}
	open := drivers.Serial{Path: port, Baud: x.baud}.Open
	hardware := new(board.Board)
	spiPort := func(ctx context.Context) (spi.PortCloser, error) { return hardware.SPI(ctx, port) }
	kind := wiringOf(port)
	switch kind {
	case onNetwork:
		open = llrp.Network{Address: port}.Open
	case onSPI:
		open = func(ctx context.Context) (drivers.Port, error) {
			return pn532.SPI{Port: func() (spi.PortCloser, error) { return spiPort(ctx) }}.Open(ctx)
		}
	case onI2C:
		open = func(ctx context.Context) (drivers.Port, error) {
			return pn532.I2C{Bus: func() (i2c.BusCloser, error) { return hardware.I2C(ctx, port) }}.Open(ctx)
		}
	}
	if through != nil {
		open = through(open)
	}
	switch x.device {
	case "pn532":
		return pn532.New(pn532.Config{Name: name, Port: port, Open: open, Keys: keys})
	case "m100":
		return m100.New(m100.Config{Name: name, Port: port, Open: open, Baud: x.baud})
	case "ascii125":
		return ascii125.New(ascii125.Config{Name: name, Port: port, Open: open})
	case "llrp":
		return f.portal(port, open)
	case "mfrc522":
		if through == nil {
			return mfrc522.New(mfrc522.Config{Name: name, Port: port, Open: spiPort, Keys: keys})
		}
	case "wedge":
		if through == nil {
			return wedge.New(wedge.Config{Name: name, Port: port, Open: wedge.Evdev{Path: port}.Open})
		}
	default:
		return nil, hintf(fmt.Errorf("%s on %s is no reader", x.device, port), "traveler scale weigh PORT asks a scale for a weight")
	}
	return nil, usage(fmt.Errorf("what passes between a driver and a %s is no stream of bytes and cannot be recorded", x.device))
}

// portal makes the reader of the antennas that the flags name.
func (f readerFlags) portal(port string, open drivers.Opener) (drivers.Reader, error) {
	reader := llrp.ReaderConfig{Name: "reader"}
	for _, id := range f.antennas {
		if id < 1 || id > 0xFFFF {
			return nil, usage(fmt.Errorf("--antennas: there is no antenna %d, they count from 1", id))
		}
		reader.Antennas = append(reader.Antennas, llrp.Antenna{ID: uint16(id)})
	}
	p, err := llrp.New(llrp.Config{Name: "reader", Port: port, Open: open, Readers: []llrp.ReaderConfig{reader}})
	if err != nil {
		return nil, usage(err)
	}
	return p.Readers()[0], nil
}

func classicKeys(texts []string) ([]nfctag.Key, error) {
	keys := make([]nfctag.Key, len(texts))
	for i, text := range texts {
		b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(b) != len(keys[i]) {
			return nil, usage(fmt.Errorf("--key: one has not 12 hex digits")) // which is not said: it is a secret
		}
		copy(keys[i][:], b)
	}
	return keys, nil
}

// profile returns the lines that the device needs in a profile.
func (x found) profile(port string) string {
	var b strings.Builder
	if isScale(x.device) {
		b.WriteString("[scale]\n")
	} else {
		b.WriteString("[[reader]]\nname   = \"reader\"\n")
	}
	fmt.Fprintf(&b, "device = %q\nport   = %q\n", x.device, port)
	if x.baud != 0 {
		fmt.Fprintf(&b, "baud   = %d\n", x.baud)
	}
	if x.evenParity {
		b.WriteString("line   = \"7E1\"\n")
	}
	return b.String()
}

// stable returns the name of a port that stays the same when devices are plugged
// in another order: one of the links that udev makes, or port itself.
func stable(port string) string {
	if strings.Contains(port, "/by-id/") || strings.Contains(port, "/by-path/") {
		return port
	}
	real, err := filepath.EvalSymlinks(port)
	if err != nil {
		return port
	}
	for _, dir := range []string{"/dev/serial/by-id", "/dev/serial/by-path", "/dev/input/by-id"} {
		entries, _ := os.ReadDir(dir) // not there: no such links
		for _, e := range entries {
			if target, err := filepath.EvalSymlinks(filepath.Join(dir, e.Name())); err == nil && target == real {
				return filepath.Join(dir, e.Name())
			}
		}
	}
	return port
}

// portHint says what to do about a port on which nothing was found.
func portHint(port string, err error) error {
	var unknown *probe.Unknown
	switch {
	case errors.As(err, &unknown) && unknown.Echo:
		return hintf(err, "the wires of sending and receiving touch, or a modem echoes: check the wiring")
	case errors.As(err, &unknown) && unknown.Heard > 0:
		return hintf(err, "it may speak at another speed, or the ground is loose; if it is one that traveler knows, --device and --baud try a certain speed")
	case errors.As(err, &unknown):
		return hintf(err, "check power and cable, and the switches of a PN532 (HSU: both off); a reader that only speaks (RDM6300, ID-12LA, WL-134) wants a tag held to it meanwhile")
	case errors.Is(err, drivers.ErrBusy):
		return hintf(err, "stop that program first (systemctl stop travelerd, if it is that), or name another port")
	case errors.Is(err, fs.ErrPermission):
		if group := groupOf(port); group != "" {
			return hintf(err, "the group %s may open it: sudo usermod -aG %s $USER, then log in again; or use sudo", group, group)
		}
	}
	return err
}

// groupOf returns the name of the group that a device node belongs to, empty where
// that would not help.
func groupOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Gid == 0 {
		return ""
	}
	g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid)))
	if err != nil {
		return ""
	}
	return g.Name
}
