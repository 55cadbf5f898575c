package emulate

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Status codes (LLRP 1.0.1, 14.1).
const (
	llrpOK           = 0
	llrpMissing      = 103 // a parameter of the message
	llrpUnsupported  = 109 // the message
	llrpFieldInvalid = 300
	llrpDeviceError  = 401
)

// command carries out a message of the client.
func (s *llrpSession) command(m llrpMessage) {
	answer := m.kind + 10
	if m.kind == 14 {
		answer = 4
	}
	switch {
	case m.kind == 72, m.kind == 64: // KEEPALIVE_ACK, ENABLE_EVENTS_AND_REPORTS: nothing is held back
		return
	case m.kind == 60:
		s.gathered(m.id)
		return
	case s.faults.on(FaultStatus):
		s.send(llrpMessage{answer, m.id, llrpStatus(llrpDeviceError, "antenna controller does not answer")})
		return
	}
	switch m.kind {
	case 1:
		s.send(llrpMessage{answer, m.id, append(llrpStatus(llrpOK, ""), llrpCapabilities()...)})
	case 2:
		s.send(llrpMessage{answer, m.id, append(llrpStatus(llrpOK, ""), s.antennas()...)})
	case 26:
		s.send(llrpMessage{answer, m.id, append(llrpStatus(llrpOK, ""), s.list()...)})
	case 3, 20, 21, 22, 23, 24, 25, 40, 41, 42:
		code, text := s.change(m)
		s.tell(Act{Verb: DidConfigure, Text: fmt.Sprintf("message %d: status %d", m.kind, code)})
		s.send(llrpMessage{answer, m.id, llrpStatus(code, text)})
		if m.kind == 22 && code == llrpOK && len(m.body) >= 4 {
			s.inventoryEvent(0, binary.BigEndian.Uint32(m.body))
		}
	case 14:
		s.send(llrpMessage{answer, m.id, llrpStatus(llrpOK, "")})
		s.tell(Act{Verb: DidRelease})
		s.over = true
	default:
		s.send(llrpMessage{100, m.id, llrpStatus(llrpUnsupported, "unsupported message")})
	}
}

// gathered answers GET_REPORT.
func (s *llrpSession) gathered(id uint32) {
	var body []byte
	for _, report := range s.waiting {
		body = append(body, report...)
	}
	s.waiting = nil
	s.send(llrpMessage{61, id, body})
}

// change carries out what changes the reader's state.
func (s *llrpSession) change(m llrpMessage) (code uint16, text string) {
	if m.kind == 3 {
		return s.configure(m.body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.kind {
	case 20:
		return s.addInventory(m.body)
	case 40:
		return s.addAccess(m.body)
	}
	if len(m.body) != 4 {
		return llrpMissing, "identifier expected"
	}
	id := binary.BigEndian.Uint32(m.body)
	if m.kind >= 40 {
		return s.changeAccess(m.kind, id)
	}
	return s.changeInventory(m.kind, id)
}

// configure is SET_READER_CONFIG: events and keepalives.
func (s *llrpSession) configure(body []byte) (uint16, string) {
	if len(body) < 1 {
		return llrpMissing, "reset flag expected"
	}
	params, ok := llrpParams(body[1:])
	if !ok {
		return llrpMissing, "parameters make no sense"
	}
	for _, p := range params {
		switch p.kind {
		case 220:
			if len(p.value) != 5 {
				return llrpFieldInvalid, "KeepaliveSpec"
			}
			if s.keepalive != nil {
				s.keepalive.Stop()
				s.keepalive = nil
			}
			if ms := binary.BigEndian.Uint32(p.value[1:]); p.value[0] == 1 && ms > 0 {
				s.keepalive = time.NewTicker(time.Duration(ms) * time.Millisecond)
			}
		case 244:
			states, ok := llrpParams(p.value)
			if !ok {
				return llrpFieldInvalid, "ReaderEventNotificationSpec"
			}
			for _, state := range states {
				if len(state.value) == 3 {
					s.events[binary.BigEndian.Uint16(state.value)] = state.value[2]&0x80 != 0
				}
			}
		}
	}
	return llrpOK, ""
}

func (s *llrpSession) addInventory(body []byte) (uint16, string) {
	spec, ok := findLLRP(body, llrpStep{0, 177})
	if !ok || len(spec) < 6 {
		return llrpMissing, "ROSpec expected"
	}
	id := binary.BigEndian.Uint32(spec)
	ai, ok := findLLRP(spec, llrpStep{6, 183})
	report, reported := findLLRP(spec, llrpStep{6, 237})
	switch {
	case id == 0 || spec[5] != llrpDisabled || s.inventories[id] != nil:
		return llrpFieldInvalid, "ROSpec has to be new, disabled, and not 0"
	case len(s.inventories) == llrpMaxROSpecs:
		return llrpDeviceError, "no room for another ROSpec"
	case !ok || len(ai) < 2 || !reported || len(report) < 3:
		return llrpMissing, "AISpec or ROReportSpec"
	}
	v := &llrpInventory{raw: append([]byte(nil), spec...), held: report[0] == 0}
	if start, ok := findLLRP(spec, llrpStep{6, 178}, llrpStep{0, 179}); ok && len(start) > 0 {
		v.eager = start[0] == 1
	}
	if content, ok := findLLRP(report, llrpStep{3, 238}); ok && len(content) == 2 {
		v.content = binary.BigEndian.Uint16(content)
	}
	n := int(binary.BigEndian.Uint16(ai))
	if len(ai) < 2+2*n {
		return llrpFieldInvalid, "AntennaIDs"
	}
	for i := range n {
		a := binary.BigEndian.Uint16(ai[2+2*i:])
		if a > llrpAntennas {
			return llrpFieldInvalid, "AntennaID"
		}
		v.antennas = append(v.antennas, a)
	}
	if text := llrpTransmitters(ai[2+2*n:]); text != "" {
		return llrpFieldInvalid, text
	}
	s.inventories[id] = v
	return llrpOK, ""
}

// llrpTransmitters checks that the powers of an AISpec are in the table.
func llrpTransmitters(params []byte) string {
	spec, ok := findLLRP(params, llrpStep{0, 186})
	if !ok || len(spec) < 3 {
		return "InventoryParameterSpec"
	}
	antennas, ok := llrpParams(spec[3:])
	if !ok {
		return "AntennaConfiguration"
	}
	for _, a := range antennas {
		rf, ok := findLLRP(a.value, llrpStep{2, 224})
		if !ok {
			continue
		}
		if len(rf) != 6 || binary.BigEndian.Uint16(rf) != 1 {
			return "HopTableID"
		}
		if power := binary.BigEndian.Uint16(rf[4:]); power < 1 || power > llrpPowers {
			return "TransmitPowerIndex"
		}
	}
	return ""
}

func (s *llrpSession) changeInventory(kind uint16, id uint32) (uint16, string) {
	if kind == 21 && id == 0 {
		clear(s.inventories)
		return llrpOK, ""
	}
	v := s.inventories[id]
	if v == nil {
		return llrpFieldInvalid, "no such ROSpec"
	}
	switch kind {
	case 21:
		delete(s.inventories, id)
	case 22:
		if v.state == llrpDisabled {
			return llrpFieldInvalid, "ROSpec is disabled"
		}
		v.state = llrpActive
	case 23:
		v.state = min(v.state, llrpInactive)
	case 24:
		v.state = max(v.state, llrpInactive)
		if v.eager {
			v.state = llrpActive
		}
	case 25:
		v.state = llrpDisabled
	}
	return llrpOK, ""
}

func (s *llrpSession) addAccess(body []byte) (uint16, string) {
	spec, ok := findLLRP(body, llrpStep{0, 207})
	if !ok || len(spec) < 12 {
		return llrpMissing, "AccessSpec expected"
	}
	id := binary.BigEndian.Uint32(spec)
	stop, ok1 := findLLRP(spec, llrpStep{12, 208})
	command, ok2 := findLLRP(spec, llrpStep{12, 209})
	target, ok3 := findLLRP(command, llrpStep{0, 338}, llrpStep{0, 339})
	switch {
	case id == 0 || spec[7] != 0 || s.accesses[id] != nil:
		return llrpFieldInvalid, "AccessSpec has to be new, disabled, and not 0"
	case len(s.accesses) == llrpMaxAccess:
		return llrpDeviceError, "no room for another AccessSpec"
	case !ok1 || !ok2 || !ok3 || len(stop) != 3:
		return llrpMissing, "AccessSpecStopTrigger or AccessCommand"
	}
	params, _ := llrpParams(command)
	a := &llrpAccess{antenna: binary.BigEndian.Uint16(spec[4:]), target: append([]byte(nil), target...)}
	for _, p := range params {
		if (p.kind == llrpRead || p.kind == llrpWrite) && len(p.value) >= llrpOperationSize {
			a.op = llrpParam{p.kind, append([]byte(nil), p.value...)}
		}
	}
	if a.op.kind == 0 {
		return llrpMissing, "OpSpec"
	}
	if stop[0] == 1 {
		a.left = int(binary.BigEndian.Uint16(stop[1:]))
	}
	s.accesses[id] = a
	return llrpOK, ""
}

func (s *llrpSession) changeAccess(kind uint16, id uint32) (uint16, string) {
	if kind == 41 && id == 0 {
		clear(s.accesses)
		return llrpOK, ""
	}
	a := s.accesses[id]
	if a == nil {
		return llrpFieldInvalid, "no such AccessSpec"
	}
	if kind == 41 {
		delete(s.accesses, id)
	} else {
		a.enabled = true
	}
	return llrpOK, ""
}

// list is the ROSpecs that the reader holds.
func (s *llrpSession) list() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p llrpBytes
	for _, v := range s.inventories {
		raw := append([]byte(nil), v.raw...)
		raw[5] = v.state
		p.tlv(177, raw)
	}
	return p
}

func (s *llrpSession) antennas() []byte {
	s.unplugged = s.faults.on(FaultAntenna)
	var p llrpBytes
	for id := uint16(1); id <= llrpAntennas; id++ {
		connected := byte(0x80)
		if id == 1 && s.unplugged {
			connected = 0
		}
		p.tlv(221, []byte{connected}, be16(id, 0))
	}
	return p
}

// llrpPowers is how many steps of 0.25 dB the transmitter has, from 10 dBm on.
const llrpPowers = 81

// llrpCapabilities are those of an Impinj Speedway R420 for the United States,
// with one receive sensitivity and one RF mode of its many.
func llrpCapabilities() []byte {
	var p, device, air, powers llrpBytes
	device.tlv(139, be16(1, 0))
	device.tlv(141, be16(4, 4))
	for id := uint16(1); id <= llrpAntennas; id++ {
		device.tlv(140, be16(id, 1), []byte{1})
	}
	const firmware = "5.14.0.240"
	p.tlv(137, be16(llrpAntennas, 0x4000), be32(25882, 2001002), be16(uint16(len(firmware))), []byte(firmware), device)
	p.tlv(142, []byte{0x48, 1}, be16(0), be32(llrpMaxROSpecs, 32, 1, llrpMaxAccess, 8))
	for i := uint16(1); i <= llrpPowers; i++ {
		powers.tlv(145, be16(i, 1000+25*(i-1)))
	}
	var hops, frequencies llrpBytes
	hops.tlv(147, []byte{1, 0}, be16(2), be32(902750, 903250))
	frequencies.tlv(146, []byte{0x80}, hops)
	var mode, modes llrpBytes
	mode.tlv(329, be32(2), []byte{0x80, 2, 0, 3}, be32(274_000, 2000, 20_000, 20_000, 0)) // Miller 4 at 274 kHz
	modes.tlv(328, mode)
	air.tlv(144, powers, frequencies, modes)
	p.tlv(143, be16(840, 1), air)
	p.tlv(327, []byte{0x40}, be16(2))
	return p
}
