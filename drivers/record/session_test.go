package record_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/emulate"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/record"
)

var anew = flag.Bool("record", false, "record the sessions in testdata anew, from the emulators")

// session is what is done to a device, and what its driver has to say: now as
// when it was recorded.
type session struct {
	name   string
	device func(t *testing.T) emulate.Device
	baud   int
	reader func(drivers.Opener) (drivers.Reader, error)
	steps  []step
}

// step is a command to the device and the events that follow.
type step struct{ command, want string }

var sessions = []session{
	{
		"pn532", func(*testing.T) emulate.Device { return emulate.NewPN532(emulate.PN532Config{Paced: true}) }, pn532.DefaultBaud,
		func(open drivers.Opener) (drivers.Reader, error) {
			return pn532.New(pn532.Config{Name: "bench", Open: open})
		},
		[]step{
			{"present 1A2B3C4D", "up, present 1A2B3C4D"},
			{"present 04A1B2C3D4E580", "arrived 04A1B2C3D4E580"},
			{"fault garbage", ""},
			{"remove 1A2B3C4D", "departed 1A2B3C4D"},
			{"fault unplug", "down"},
			{"fault unplug off", "up"},
			{"remove", "departed 04A1B2C3D4E580"},
		},
	},
	{
		"rdm6300", newSerial(emulate.ModelRDM6300), ascii125.DefaultBaud, newASCII125,
		[]step{
			{"present 0A00F1B2C3", "up, present 0A00F1B2C3"},
			{"remove", "departed 0A00F1B2C3"},
			{"fault garbage", ""},
			{"present 0A00F1B2C4", "arrived 0A00F1B2C4"},
			{"fault unplug", "down"},
			{"fault unplug off", "up"},
			{"remove", "departed 0A00F1B2C4"},
		},
	},
	{
		"wl134", newSerial(emulate.ModelWL134), ascii125.DefaultBaud, newASCII125,
		[]step{
			{"", "up"},
			{"present 999001803000015", "arrived F9C06B7798CF"},
			{"remove", "departed F9C06B7798CF"},
		},
	},
}

func newSerial(model string) func(*testing.T) emulate.Device {
	return func(t *testing.T) emulate.Device {
		d, err := emulate.NewASCII125(emulate.ASCII125Config{Model: model, Paced: true})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func newASCII125(open drivers.Opener) (drivers.Reader, error) {
	return ascii125.New(ascii125.Config{Name: "bench", Open: open})
}

// TestSessions plays the recordings in testdata to the drivers, which have to
// write the same and say the same. With -record it makes the recordings first.
func TestSessions(t *testing.T) {
	for _, s := range sessions {
		t.Run(s.name, func(t *testing.T) {
			file := filepath.Join("testdata", s.name+".txt")
			if *anew {
				if err := os.WriteFile(file, s.record(t), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			recording, err := record.Parse(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			synctest.Test(t, func(t *testing.T) { s.play(t, recording) })
		})
	}
}

// record performs the session on an emulator, on a pseudo-terminal.
func (s session) record(t *testing.T) []byte {
	socket, err := emulate.Plug(filepath.Join(t.TempDir(), "reader"), s.device(t))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	var text notes
	recorder := record.NewRecorder(drivers.Serial{Path: socket.Path(), Baud: s.baud}.Open, &text)
	do := func(command string) {
		if command == "" {
			return
		}
		if err := socket.Do(command); err != nil {
			t.Error(err)
		}
	}
	do(s.steps[0].command) // before the driver comes
	end, events := s.start(t, recorder.Open)
	for i, step := range s.steps {
		if i > 0 {
			do(step.command)
		}
		expect(t, events, step.want)
		time.Sleep(100 * time.Millisecond)
	}
	recording := text.bytes() // as far as it is the device's doing
	end()
	if err := recorder.Err(); err != nil {
		t.Error(err)
	}
	return scrubbed(recording)
}

// notes can be read while they are written.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notes) bytes() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return bytes.Clone(n.text.Bytes())
}

// scrubbed leaves the reasons of losses out of a recording, since they name
// files of this machine.
func scrubbed(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if at := bytes.Index(line, []byte(" ! ")); at >= 0 {
			lines[i] = append(line[:at:at], " ! device was unplugged"...)
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

func (s session) play(t *testing.T, recording []record.Exchange) {
	player := record.NewPlayer(recording)
	end, events := s.start(t, player.Open)
	var want []string
	for _, step := range s.steps {
		if step.want != "" {
			want = append(want, step.want)
		}
	}
	expect(t, events, strings.Join(want, ", "))
	<-player.Done()
	end()
	if err := player.Close(); err != nil {
		t.Error(err)
	}
	if len(events) > 0 {
		t.Errorf("event %v beyond the recording", <-events)
	}
}

// start runs the driver; end ends it.
func (s session) start(t *testing.T, open drivers.Opener) (end func(), events chan drivers.Event) {
	reader, err := s.reader(open)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events, ended := make(chan drivers.Event, 64), make(chan error, 1)
	go func() { ended <- reader.Run(ctx, events) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}, events
}

func expect(t *testing.T, events <-chan drivers.Event, want string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for want != "" {
		var next string
		next, want, _ = strings.Cut(want, ", ")
		for got := ""; got != next; {
			select {
			case e := <-events:
				if got = strings.TrimSpace(e.Kind.String() + " " + e.Tag.ID); got != next && e.Kind != drivers.Fault {
					t.Fatalf("event %s (%v), want %s", got, e.Err, next)
				}
			case <-limit:
				t.Fatalf("no event, want %s", next)
			}
		}
	}
}
