package emulate

import (
	"fmt"
	"strings"
)

// What a scale of A&D answers to commands that ask for no weight.
const (
	codeAK        = "\x06"
	errorUnknown  = "E01" // undefined command
	errorNotReady = "E02"
	errorLength   = "E04" // too many characters
	errorUnstable = "E11"
)

// commandAD answers a command in A&D's standard format.
func (s *scaleSession) commandAD(command string) {
	switch {
	case s.faults.on(FaultSyntax):
		s.refuseAD(errorUnknown)
	case command == "Q":
		s.readingAD()
	case command == "CT":
		s.change(command, (*load).clearTare)
		s.acknowledgeAD(command)
	case command == "Z", command == "T":
		s.acknowledgeAD(command)
		s.carryOut(command)
	default:
		s.refuseAD(errorUnknown)
	}
}

// readingAD answers Q: what the display shows at this moment.
func (s *scaleSession) readingAD() {
	value, unit, stable := s.shown()
	header := "ST"
	switch {
	case s.faults.on(FaultOverload):
		s.say("OL,+9999999E+19")
		return
	case s.faults.on(FaultUnderload):
		s.say("OL,-9999999E+19")
		return
	case unit == "PC":
		header = "QT"
	case !stable:
		header = "US"
	}
	sign, digits := "+", strings.TrimPrefix(value, "+")
	if rest, negative := strings.CutPrefix(value, "-"); negative {
		sign, digits = "-", rest
	}
	s.say(fmt.Sprintf("%s,%s%s%3s", header, sign, strings.Repeat("0", max(0, 8-len(digits)))+digits, unit))
	if header == "ST" {
		s.told(value, unit)
	}
}

// carryOutAD zeroes and tares once the load is at rest. Of both acknowledgements
// with AK the second says that it is done.
func (s *scaleSession) carryOutAD(command string) {
	_, _, stable := s.shown()
	if !stable {
		s.await(command)
		return
	}
	s.rest()
	if s.faults.on(FaultOverload) || s.faults.on(FaultUnderload) || s.faults.on(FaultRange) {
		s.refuseAD(errorNotReady)
		return
	}
	if command == "Z" {
		s.change(command, (*load).setZero)
	} else {
		s.change(command, (*load).setTare)
	}
	if s.manner() == SpeakADCodes {
		s.say(codeAK)
	}
}

func (s *scaleSession) acknowledgeAD(command string) {
	switch s.manner() {
	case SpeakAD:
		s.say(command)
	case SpeakADCodes:
		s.say(codeAK)
	}
}

// refuseAD tells the host that a command was not carried out.
func (s *scaleSession) refuseAD(code string) {
	switch s.manner() {
	case SpeakAD:
		if code == errorUnknown {
			s.say("?")
		} else {
			s.say("I")
		}
	case SpeakADCodes:
		s.say("EC," + code)
	}
}

func (s *scaleSession) manner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.speaks
}
