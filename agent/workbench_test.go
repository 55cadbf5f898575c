package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"traveler.example/agent/journal"
	"traveler.example/drivers"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/wedge"
	profiles "traveler.example/firmware-profiles"
)

// workbench is a board to which emulated chips are wired, with a scanner beside.
type workbench struct {
	mfrc522 *emulate.MFRC522
	nfc     *emulate.PN532
	spi     *emulate.PN532SPI
	other   *emulate.PN532
	i2c     *emulate.PN532I2C
	uhf     *emulate.LLRP
	dock    *emulate.Dock
	scanner *emulate.Wedge
	lamps   map[string]*gpiotest.Pin

	mu     sync.Mutex
	taken  bool           // another program holds the ports
	opened map[string]int // how often each was
}

func newWorkbench(t *testing.T) *workbench {
	t.Helper()
	w := &workbench{
		mfrc522: emulate.NewMFRC522(emulate.MFRC522Config{}), uhf: emulate.NewLLRP(emulate.LLRPConfig{}),
		nfc: emulate.NewPN532(emulate.PN532Config{}), other: emulate.NewPN532(emulate.PN532Config{}),
		lamps: map[string]*gpiotest.Pin{}, opened: map[string]int{},
	}
	for _, name := range []string{"GPIO17", "GPIO27", "GPIO22"} {
		w.lamps[name] = &gpiotest.Pin{N: name}
	}
	w.spi, w.i2c = emulate.NewPN532SPI(w.nfc), emulate.NewPN532I2C(w.other)
	var err error
	w.scanner, err = emulate.NewWedge(emulate.WedgeConfig{Layout: "de"})
	must(t, err)
	w.dock, err = emulate.Listen("127.0.0.1:0", w.uhf)
	must(t, err)
	t.Cleanup(func() {
		_, _, _ = w.spi.Close(), w.i2c.Close(), w.dock.Close()
	})
	return w
}

func (w *workbench) hardware() Hardware { return Hardware{Board: w, Input: w.input} }

// open notes that a port is opened, and refuses it while another program has it.
func (w *workbench) open(port string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken {
		return fmt.Errorf("%s: %w: close the program that holds it", port, drivers.ErrBusy)
	}
	w.opened[port]++
	return nil
}

func (w *workbench) take(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = on
}

func (w *workbench) times(port string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened[port]
}

// Pin implements [Board].
func (w *workbench) Pin(name string) (gpio.PinIO, error) {
	switch name {
	case "GPIO24":
		return input{w.mfrc522.IRQ()}, nil
	case "GPIO25":
		return output{w.mfrc522.Reset()}, nil
	case "GPIO23":
		return input{w.spi.IRQ()}, nil
	case "GPIO18":
		return output{w.spi.Reset()}, nil
	}
	if lamp := w.lamps[name]; lamp != nil {
		return lamp, nil
	}
	return nil, fmt.Errorf("no pin %q", name)
}

// SPI implements [Board].
func (w *workbench) SPI(ctx context.Context, path string) (spi.PortCloser, error) {
	if err := w.open(path); err != nil {
		return nil, err
	}
	switch path {
	case "/dev/spidev0.0":
		return w.mfrc522.Open(ctx)
	case "/dev/spidev0.1":
		return w.spi.Open()
	}
	return nil, os.ErrNotExist
}

// I2C implements [Board].
func (w *workbench) I2C(_ context.Context, path string) (i2c.BusCloser, error) {
	if err := w.open(path); err != nil {
		return nil, err
	}
	return w.i2c.Open()
}

// input opens the scanner: events in a pipe, as the kernel hands them out.
func (w *workbench) input(_ context.Context, path string) (wedge.Source, error) {
	if err := w.open(path); err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	s := &typing{Conn: near, cancel: cancel}
	s.ended.Go(func() { _ = w.scanner.Serve(ctx, far) }) // it ends with ctx, and says no more than that
	return s, nil
}

// typing is the scanner's input device.
type typing struct {
	net.Conn
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

func (*typing) Model() string { return "Scanner (0c2e:0901)" }

func (s *typing) Close() error {
	s.cancel()
	err := s.Conn.Close()
	s.ended.Wait()
	return err
}

var errDirection = errors.New("the pin has no such direction")

// input and output are pins of one direction on a board whose pins have both.
type (
	input  struct{ gpio.PinIn }
	output struct{ gpio.PinOut }
)

func (input) Out(gpio.Level) error                  { return errDirection }
func (input) PWM(gpio.Duty, physic.Frequency) error { return errDirection }

func (output) In(gpio.Pull, gpio.Edge) error  { return errDirection }
func (output) Read() gpio.Level               { return gpio.Low }
func (output) WaitForEdge(time.Duration) bool { return false }
func (output) Pull() gpio.Pull                { return gpio.PullNoChange }
func (output) DefaultPull() gpio.Pull         { return gpio.PullNoChange }

// everyReader is a profile with what a workbench has.
func (w *workbench) everyReader() string {
	return fmt.Sprintf(`
[broker]
urls = ["mqtt://127.0.0.1:1"]

[intake]
order = "WO-1"

[pins]
light_red = "GPIO17"
light_amber = "GPIO27"
light_green = "GPIO22"

[[light]]
name = "stack"
kind = "gpio"

[[reader]]
name = "bench"
device = "mfrc522"
port = "/dev/spidev0.0"
irq = "GPIO24"
reset = "GPIO25"
gain = 38

[[reader]]
name = "nfc"
device = "pn532"
port = "/dev/spidev0.1"
irq = "GPIO23"
reset = "GPIO18"

[[reader]]
name = "nfc-i2c"
device = "pn532"
port = "/dev/i2c-1"

[[reader]]
name = "way-in"
device = "llrp"
port = %[1]q
antennas = [1, 2]

[[reader]]
name = "way-out"
device = "llrp"
port = %[1]q
antennas = [3]
rssi_min = "-60 dBm"

[[reader]]
name = "scanner"
device = "wedge"
port = "/dev/input/by-id/scanner-event-kbd"
layout = "de"
`, w.dock.Address())
}

// serving is a gateway that runs on a workbench.
type serving struct {
	*Gateway
	t       *testing.T
	journal *record
	profile profiles.Profile
	file    string
}

func (w *workbench) serve(t *testing.T) *serving {
	t.Helper()
	return run(t, founded(t, w.everyReader()), w.hardware())
}

// run runs the gateway of a profile until the test ends.
func run(t *testing.T, p profiles.Profile, hw Hardware) *serving {
	t.Helper()
	s := &serving{t: t, journal: &record{t: t, who: "G-1"}, profile: p, file: filepath.Join(filepath.Dir(p.KeyFile), ProfileName)}
	var err error
	s.Gateway, err = Assemble(t.Context(), p, KeySource{}, hw, "1.0", journal.New(s.journal, time.Now))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
		must(t, s.Close())
	})
	return s
}

// until waits for what must come.
func (s *serving) until(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("no %s; the journal says %v", what, s.journal.lines())
		}
	}
}

// up waits until readers answer.
func (s *serving) up(names ...string) {
	s.t.Helper()
	s.until(strings.Join(names, ", ")+" up", func() bool {
		st, err := s.Brief()
		must(s.t, err)
		n := 0
		for _, r := range st.Readers {
			if r.Up && slices.Contains(names, r.Name) {
				n++
			}
		}
		return n == len(names)
	})
}

// scanned waits until a scan of the tag on the reader is in the journal.
func (s *serving) scanned(reader, tag string) {
	s.t.Helper()
	s.until("scan of "+tag+" on "+reader, func() bool {
		return slices.ContainsFunc(s.journal.events(journal.ScanWait), func(e entry) bool {
			return e.fields[journal.KeyReader] == reader && e.fields[journal.KeyTag] == tag
		})
	})
}

func (r *record) lines() (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.all {
		lines = append(lines, string(e.id)+": "+e.words)
	}
	return lines
}
