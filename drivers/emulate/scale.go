package emulate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// The faults of a scale, besides those of every device.
const (
	FaultOverload  = "overload"  // the load is above the range
	FaultUnderload = "underload" // the load is below the range
	FaultSyntax    = "syntax"    // every command is answered ES
)

// stability is how long a scale waits for a moving load before it gives up.
const stability = 10 * time.Second

// longestCommandLine bounds a line that a host sends.
const longestCommandLine = 64

// Scale is a Mettler Toledo balance that speaks MT-SICS level 0 and the parts
// of level 1 that tare it. Its display shows what Weigh set, as text.
type Scale struct {
	observers
	faults  *faults
	changed chan struct{}

	mu          sync.Mutex
	value, unit string
	stable      bool
	weighed     int // how often the host was told of this load
}

// NewScale returns a scale that shows 0.00 g.
func NewScale() *Scale {
	return &Scale{
		faults: newFaults(FaultOverload, FaultUnderload, FaultSyntax), changed: make(chan struct{}, 1),
		value: "0.00", unit: "g", stable: true,
	}
}

// Weigh puts a load on the scale: the value and unit that it shows, as they
// are, and whether it has come to rest.
func (d *Scale) Weigh(value, unit string, stable bool) error {
	if len(value) == 0 || len(value) > 10 || strings.Trim(value, "+-.0123456789") != "" {
		return fmt.Errorf("value %q does not fit the display, write up to ten characters like 12.5", value)
	}
	if unit == "" || len(unit) > 5 {
		return fmt.Errorf("unit %q does not fit the display, write one like g", unit)
	}
	d.mu.Lock()
	d.value, d.unit, d.stable, d.weighed = value, unit, stable, 0
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return nil
}

// Fault switches a fault on or off.
func (d *Scale) Fault(name string, on bool) error { return d.faults.switchTo(name, on) }

// Do implements [Device].
func (d *Scale) Do(command string) error {
	words := strings.Fields(command)
	switch {
	case len(words) == 3 && words[0] == "weigh":
		return d.Weigh(words[1], words[2], true)
	case len(words) == 4 && words[0] == "weigh" && words[3] == "unstable":
		return d.Weigh(words[1], words[2], false)
	case len(words) >= 1 && words[0] == "fault":
		name, on, err := parseFault(words[1:])
		if err != nil {
			return err
		}
		return d.Fault(name, on)
	}
	return fmt.Errorf("no command %q, write help for a list", command)
}

// Help implements [Device].
func (d *Scale) Help() string {
	return "weigh VALUE UNIT [unstable]\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
}

// Serve implements [Device].
func (d *Scale) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	serve(ctx, wire{line: line, faults: d.faults, baud: 9600}, func(w *wire, chunks <-chan []byte) {
		s := &scaleSession{Scale: d, wire: w}
		s.loop(chunks)
	})
	return ctx.Err()
}

// scaleSession is a scale under power.
type scaleSession struct {
	*Scale
	wire    *wire
	in      []byte
	waiting <-chan time.Time // a command S waits for the load to rest
}

func (s *scaleSession) loop(chunks <-chan []byte) {
	for {
		select {
		case chunk, ok := <-chunks:
			if !ok {
				return
			}
			s.in = append(s.in, chunk...)
			s.lines()
		case <-s.changed:
			if s.waiting != nil {
				s.weigh("S")
			}
		case <-s.waiting:
			s.waiting = nil
			s.say("S I")
		}
	}
}

// lines carries out the complete lines that have come.
func (s *scaleSession) lines() {
	for {
		end := bytes.Index(s.in, []byte("\r\n"))
		if end < 0 {
			if len(s.in) > longestCommandLine {
				s.in = s.in[:0]
				s.say("ET")
			}
			return
		}
		command := string(s.in[:end])
		s.in = s.in[end+2:]
		if !s.faults.on(FaultSilence) {
			s.command(command)
		}
	}
}

func (s *scaleSession) command(command string) {
	if s.waiting != nil {
		s.waiting = nil
		s.tell(Act{Verb: DidAbort})
	}
	switch {
	case s.faults.on(FaultSyntax):
		s.say("ES")
	case command == "S", command == "SI":
		s.weigh(command)
	case command == "@":
		s.say(`I4 A "B021002593"`)
	case command == "I4":
		s.say(`I4 A "B021002593"`)
	case command == "I2":
		s.say(`I2 A "MS3002S Excellence 3200.01 g"`)
	case command == "Z", command == "ZI", command == "T", command == "TI":
		s.zero(command)
	default:
		s.say("ES")
	}
}

// weigh answers S (wait until stable) and SI (at once).
func (s *scaleSession) weigh(command string) {
	s.mu.Lock()
	value, unit, stable := s.value, s.unit, s.stable
	s.mu.Unlock()
	switch {
	case s.faults.on(FaultOverload):
		s.say("S +")
	case s.faults.on(FaultUnderload):
		s.say("S -")
	case stable:
		s.waiting = nil
		s.say(fmt.Sprintf("S S %10s %s", value, unit))
		s.mu.Lock()
		s.weighed++
		count := s.weighed
		s.mu.Unlock()
		s.tell(Act{Verb: DidWeigh, Count: count, Text: value + " " + unit})
	case command == "SI":
		s.say(fmt.Sprintf("S D %10s %s", value, unit))
	case s.waiting == nil:
		s.waiting = time.After(stability)
	}
}

// zero sets the display to zero, for zeroing and for taring.
func (s *scaleSession) zero(command string) {
	s.mu.Lock()
	s.value, s.weighed = "0.00", 0
	unit := s.unit
	s.mu.Unlock()
	s.tell(Act{Verb: DidConfigure, Text: command})
	switch command {
	case "Z":
		s.say("Z A")
	case "ZI":
		s.say("ZI S")
	default:
		s.say(fmt.Sprintf("%s S %10s %s", command, "0.00", unit))
	}
}

func (s *scaleSession) say(line string) {
	s.wire.write([]byte(line + "\r\n"))
}
