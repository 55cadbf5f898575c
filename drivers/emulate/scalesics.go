package emulate

import "fmt"

// commandSICS answers a command of MT-SICS.
func (s *scaleSession) commandSICS(command string) {
	const serial = `I4 A "B021002593"`
	switch {
	case s.faults.on(FaultSyntax):
		s.say("ES")
	case command == "@": // back to the state after switching on, but for the zero point
		s.mu.Lock()
		s.load.clearTare()
		s.mu.Unlock()
		s.say(serial)
	case command == "I4":
		s.say(serial)
	case command == "I2":
		s.say(`I2 A "MS3002S Excellence 3200.01 g"`)
	case command == "TAC":
		s.change(command, (*load).clearTare)
		s.say("TAC A")
	case command == "S", command == "SI", command == "Z", command == "ZI", command == "T", command == "TI":
		s.carryOut(command)
	default:
		s.say("ES")
	}
}

// carryOutSICS weighs, zeroes and tares: at once by SI, ZI and TI, else when the
// load is at rest.
func (s *scaleSession) carryOutSICS(command string) {
	value, unit, stable := s.shown()
	switch {
	case s.faults.on(FaultOverload), s.faults.on(FaultRange) && command[:1] != "S":
		s.rest()
		s.say(command[:1] + " +")
	case s.faults.on(FaultUnderload):
		s.rest()
		s.say(command[:1] + " -")
	case !stable && command[1:] == "":
		s.await(command)
	default:
		s.rest()
		s.doSICS(command, value, unit, stable)
	}
}

func (s *scaleSession) doSICS(command, value, unit string, stable bool) {
	status := map[bool]string{true: "S", false: "D"}[stable]
	switch command[:1] {
	case "Z":
		s.change(command, (*load).setZero)
		if command == "Z" {
			status = "A"
		}
		s.say(command + " " + status)
	case "T":
		s.change(command, (*load).setTare)
		s.mu.Lock()
		value = s.load.tare.String()
		s.mu.Unlock()
		s.say(fmt.Sprintf("%s %s %10s %s", command, status, value, unit))
	default:
		s.say(fmt.Sprintf("S %s %10s %s", status, value, unit))
		if stable {
			s.told(value, unit)
		}
	}
}
