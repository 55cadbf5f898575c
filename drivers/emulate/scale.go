package emulate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// The faults of a scale, besides those of every device.
const (
	FaultOverload  = "overload"  // the load is above the range
	FaultUnderload = "underload" // the load is below the range
	FaultSyntax    = "syntax"    // every command is refused as unknown
	FaultRange     = "range"     // the load is more than can be zeroed or tared
)

// stability is how long a scale waits for a moving load before it gives up.
const stability = 10 * time.Second

// longestCommandLine bounds a line that a host sends.
const longestCommandLine = 64

// The protocols that a scale can be set to, and how one of A&D answers a command
// that asks for no weight.
const (
	SpeakSICS     = "mt-sics"  // as it comes from Mettler Toledo
	SpeakAD       = "and"      // A&D standard format, commands are echoed (EK, HV)
	SpeakADCodes  = "and-ak"   // commands are answered AK when they come and when they are done, or EC,Exx (FX, GX with erCd 1)
	SpeakADSilent = "and-mute" // commands are not answered (FX, GX as they leave the works)
)

// Scale is a balance that speaks MT-SICS level 0 and the parts of level 1 that
// tare it, or A&D's standard format. Its display shows what Weigh set, as text,
// less what the host zeroed or tared.
type Scale struct {
	observers
	faults  *faults
	changed chan struct{}
	printed chan struct{} // its print key was pressed

	mu      sync.Mutex
	speaks  string
	load    load
	weighed int // how often the host was told of this load
}

// NewScale returns a scale that speaks MT-SICS and shows 0.00 g.
func NewScale() *Scale {
	return &Scale{
		faults:  newFaults(FaultOverload, FaultUnderload, FaultSyntax, FaultRange),
		changed: make(chan struct{}, 1), printed: make(chan struct{}, 1),
		speaks: SpeakSICS, load: load{value: "0.00", unit: "g", stable: true},
	}
}

// Speak sets the protocol, one of the Speak constants.
func (d *Scale) Speak(protocol string) error {
	known := []string{SpeakSICS, SpeakAD, SpeakADCodes, SpeakADSilent}
	if !slices.Contains(known, protocol) {
		return fmt.Errorf("no protocol %q, there are: %s", protocol, strings.Join(known, " "))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.speaks = protocol
	return nil
}

// Weigh puts a load on the scale: the value and unit that it shows, as they
// are, and whether it has come to rest. In another unit than before, what was
// zeroed and tared is forgotten.
func (d *Scale) Weigh(value, unit string, stable bool) error {
	if len(value) == 0 || len(value) > 10 || strings.Trim(value, "+-.0123456789") != "" {
		return fmt.Errorf("value %q does not fit the display, write up to ten characters like 12.5", value)
	}
	if unit == "" || len(unit) > 5 {
		return fmt.Errorf("unit %q does not fit the display, write one like g", unit)
	}
	d.mu.Lock()
	d.load.put(value, unit, stable)
	d.weighed = 0
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
	return nil
}

// Print presses the print key: the host is told what the display shows, unasked.
func (d *Scale) Print() {
	select {
	case d.printed <- struct{}{}:
	default:
	}
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
	case command == "print":
		d.Print()
		return nil
	case len(words) == 2 && words[0] == "speak":
		return d.Speak(words[1])
	}
	return otherwise(d, command)
}

// Help implements [Device].
func (d *Scale) Help() string {
	return "weigh VALUE UNIT [unstable]\nprint\nspeak PROTOCOL      (mt-sics and and-ak and-mute)\nfault NAME [off]    (" + strings.Join(d.faults.known, " ") + ")"
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
	waiting string           // the command that waits for the load to rest
	limit   <-chan time.Time // when it gives up
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
			if s.waiting != "" {
				s.carryOut(s.waiting)
			}
		case <-s.printed:
			if s.sics() {
				s.carryOutSICS("SI")
			} else {
				s.readingAD()
			}
		case <-s.limit:
			command := s.waiting
			s.rest()
			if s.sics() {
				s.say(command + " I")
			} else {
				s.refuseAD(errorUnstable)
			}
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
				s.garbled()
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

// garbled answers a command that is too long to be one.
func (s *scaleSession) garbled() {
	if s.sics() {
		s.say("ET")
	} else {
		s.refuseAD(errorLength)
	}
}

func (s *scaleSession) command(command string) {
	if s.waiting != "" && (s.sics() || command != "Q") {
		s.rest()
		s.tell(Act{Verb: DidAbort})
	}
	if s.sics() {
		s.commandSICS(command)
	} else {
		s.commandAD(command)
	}
}

// carryOut does what a command wants of the load, now or once it is at rest.
func (s *scaleSession) carryOut(command string) {
	if s.sics() {
		s.carryOutSICS(command)
	} else {
		s.carryOutAD(command)
	}
}

// await has a command wait for the load to rest.
func (s *scaleSession) await(command string) {
	if s.waiting == "" {
		s.waiting, s.limit = command, time.After(stability)
	}
}

// rest ends the waiting.
func (s *scaleSession) rest() { s.waiting, s.limit = "", nil }

func (s *scaleSession) sics() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.speaks == SpeakSICS
}

// shown is what the display says.
func (s *scaleSession) shown() (value, unit string, stable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load.shown(), s.load.unit, s.load.stable
}

// change changes what is subtracted from the load.
func (s *scaleSession) change(command string, do func(*load)) {
	s.mu.Lock()
	do(&s.load)
	s.weighed = 0
	s.mu.Unlock()
	s.tell(Act{Verb: DidConfigure, Text: command})
}

// told notes that the host was told a stable weight.
func (s *scaleSession) told(value, unit string) {
	s.mu.Lock()
	s.weighed++
	count := s.weighed
	s.mu.Unlock()
	s.tell(Act{Verb: DidWeigh, Count: count, Text: value + " " + unit})
}

func (s *scaleSession) say(line string) {
	s.wire.write([]byte(line + "\r\n"))
}
