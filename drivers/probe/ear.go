package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/ascii125"
	"traveler.example/drivers/m100"
	"traveler.example/drivers/pn532"
	"traveler.example/drivers/scale"
)

// try is one setting of the line, and what is done at it.
type try struct {
	line   drivers.Serial
	listen time.Duration
	ask    []question
}

// question is what is sent, and how long its answer may take.
type question struct {
	send []byte
	wait time.Duration
}

// repeats is long enough to hear an RDM6300 with a tag on it several times.
const repeats = 6 * ascii125.RepeatInterval

// tries returns the settings in the order in which they are likely, those that
// devices leave the works with first.
//
// A scale answers within a few hundred milliseconds, a chip within some tens. A
// module that sleeps loses the first command, and a chip that sleeps wants a long
// preamble and SAMConfiguration before it answers (UM0701-02, 7.2.10).
func tries() []try {
	sics := question{[]byte("\r\nI4\r\n"), 400 * time.Millisecond} // serial number
	ad := question{[]byte("Q\r\n"), 400 * time.Millisecond}        // the reading
	module := question{uhf(m100.FramingBB), 100 * time.Millisecond}
	wake := append(append([]byte{0x55, 0x55}, make([]byte, 14)...), nfc(0x14, 0x01)...)
	frames := []question{
		module, module,
		{uhf(m100.FramingAA), 100 * time.Millisecond},
		{wake, 60 * time.Millisecond},
		{nfc(0x02), 150 * time.Millisecond},
	}
	scales := []question{sics, ad}
	all := slices.Concat(scales, frames)
	even := func(baud int) drivers.Serial {
		return drivers.Serial{Baud: baud, DataBits: 7, Parity: drivers.ParityEven}
	}
	return []try{
		{drivers.Serial{Baud: 9600}, repeats, scales},
		{drivers.Serial{Baud: 115200}, slice, frames},
		{drivers.Serial{Baud: 9600}, 0, frames},
		{even(2400), repeats, []question{ad}},
		{drivers.Serial{Baud: 38400}, slice, all},
		{drivers.Serial{Baud: 57600}, slice, frames},
		{drivers.Serial{Baud: 19200}, slice, all},
		{drivers.Serial{Baud: 4800}, slice, scales},
		{even(9600), slice, scales},
		{drivers.Serial{Baud: 921600}, slice, frames},
	}
}

// uhf asks a module for the version of its hardware.
func uhf(framing m100.Framing) []byte {
	b, _ := m100.AppendFrame(nil, m100.Frame{Framing: framing, Type: m100.TypeCommand, Command: cmdVersion, Params: []byte{0}}) // short
	return b
}

// nfc is a command to a PN532.
func nfc(command ...byte) []byte {
	b, _ := pn532.AppendFrame(nil, append([]byte{fromHost}, command...)...) // short
	return b
}

const (
	cmdVersion         = 0x03 // of the M100
	fromHost, fromChip = 0xD4, 0xD5
	firmwareAnswer     = 0x03 // of the PN532: IC, version, revision, what it can
)

// ear hears every protocol at once.
type ear struct {
	lf    ascii125.Parser
	lines scale.Lines
	uhf   m100.Parser
	nfc   pn532.Parser
}

// hear takes in bytes and says which device they are of, once that is certain.
func (e *ear) hear(b []byte) (Finding, bool) {
	for _, f := range e.lf.Feed(b) {
		if _, err := f.Tag(); err == nil && !f.Damaged {
			return Finding{Driver: "ascii125", Model: f.Framing.String()}, true
		}
	}
	for _, line := range e.lines.Feed(b) {
		if model, ok := weighs(line); ok {
			return Finding{Driver: "scale", Model: model}, true
		}
	}
	if found, ok := ofUHF(e.uhf.Feed(b)); ok {
		return found, true
	}
	return ofNFC(e.nfc.Feed(b))
}

// flush gives up on frames under way: true ones may stand behind.
func (e *ear) flush() (Finding, bool) {
	if found, ok := ofUHF(e.uhf.Flush()); ok {
		return found, true
	}
	return ofNFC(e.nfc.Flush())
}

func ofUHF(all []m100.Frame) (Finding, bool) {
	for _, f := range all {
		switch {
		case f.Type == m100.TypeResponse && f.Command == cmdVersion && len(f.Params) > 1:
			return Finding{Driver: "m100", Model: fmt.Sprintf("%s (%v)", printable(f.Params[1:]), f.Framing)}, true
		case f.Type == m100.TypeNotice: // it was left polling
			return Finding{Driver: "m100", Model: fmt.Sprintf("UHF module (%v)", f.Framing)}, true
		}
	}
	return Finding{}, false
}

func ofNFC(all []pn532.Frame) (Finding, bool) {
	for _, f := range all {
		d := f.Data
		if f.Kind == pn532.FrameData && len(d) == 6 && d[0] == fromChip && d[1] == firmwareAnswer && d[2] == 0x32 {
			return Finding{Driver: "pn532", Model: fmt.Sprintf("PN532 v%d.%d", d[3], d[4])}, true
		}
	}
	return Finding{}, false
}

// weighs says which scale says a line, if only a scale does.
func weighs(line string) (model string, ok bool) {
	if serial, ok := strings.CutPrefix(line, "I4 A "); ok {
		return strings.TrimSpace("MT-SICS " + printable([]byte(strings.Trim(serial, `"`)))), true
	}
	if _, err := scale.ParseStandard(line); !foreign(err) {
		return "A&D standard format", true
	}
	if _, err := scale.ParseWeight(line); !foreign(err) {
		return "MT-SICS", true
	}
	return "", false
}

// foreign reports whether an error of parsing a line leaves open that something
// else than a scale said it.
func foreign(err error) bool {
	return errors.Is(err, drivers.ErrProtocol) || errors.Is(err, scale.ErrScale)
}

// printable is text of a device for a terminal.
func printable(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b)))
}
