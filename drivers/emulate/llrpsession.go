package emulate

import (
	"encoding/binary"
	"fmt"
	"time"
)

// llrpSession is one connection of a client.
type llrpSession struct {
	*LLRP
	wire      *wire
	in        []byte
	lastID    uint32
	events    map[uint16]bool // that the client wants to be told of
	keepalive *time.Ticker    // nil until it is asked for
	unplugged bool            // FaultAntenna, as it was told
	odd       bool            // FaultFlicker: every other round is empty
	waiting   [][]byte        // TagReportData that wait for GET_REPORT
	wrote     []Act           // to be told when nothing is locked
	over      bool
}

// How a connection attempt ended.
const (
	llrpAccepted = 0
	llrpTaken    = 2 // another client is connected
)

func (s *llrpSession) loop(chunks <-chan []byte) {
	if !s.claim() {
		s.attempt(llrpTaken)
		pause(s.wire.ctx, 50*time.Millisecond) // for the message to go out before the line is closed
		return
	}
	defer s.release()
	s.attempt(llrpAccepted)
	round := time.NewTicker(s.cfg.Round)
	defer round.Stop()
	defer func() {
		if s.keepalive != nil {
			s.keepalive.Stop()
		}
	}()
	for !s.over {
		select {
		case chunk, ok := <-chunks:
			if !ok {
				return
			}
			s.receive(chunk)
		case <-round.C:
			s.round()
		case <-s.alive():
			s.say(62, nil)
		case <-s.changed:
			s.look()
		}
	}
	pause(s.wire.ctx, 50*time.Millisecond)
}

func (s *llrpSession) alive() <-chan time.Time {
	if s.keepalive == nil {
		return nil
	}
	return s.keepalive.C
}

func (s *llrpSession) attempt(status uint16) {
	var event llrpBytes
	event.tlv(256, be16(status))
	s.event(event)
}

// event sends a READER_EVENT_NOTIFICATION.
func (s *llrpSession) event(param []byte) {
	var now, p llrpBytes
	now.u64(uint64(time.Now().UnixMicro()))
	var stamp llrpBytes
	stamp.tlv(128, now)
	p.tlv(246, stamp, param)
	s.say(63, p)
}

// say sends a message that answers none.
func (s *llrpSession) say(kind uint16, body []byte) {
	s.lastID++
	s.send(llrpMessage{kind, s.lastID, body})
}

func (s *llrpSession) send(m llrpMessage) {
	b := m.bytes()
	if s.faults.on(FaultNonsense) {
		b = append(llrpNonsense(), b...)
	}
	if s.faults.take(FaultGiant) {
		binary.BigEndian.PutUint32(b[2:], 0x7FFFFFFF)
	}
	s.wire.write(b)
}

// llrpNonsense is a message of a vendor, a type that nobody knows, and a report
// whose parameter is longer than itself.
func llrpNonsense() []byte {
	b := llrpMessage{1023, 1, []byte{0, 0, 0x65, 0x1A, 77, 1, 2, 3}}.bytes()
	b = append(b, llrpMessage{999, 2, []byte{0xFF}}.bytes()...)
	return append(b, llrpMessage{61, 3, []byte{0x00, 0xF0, 0x00, 0xFF, 0x8D}}.bytes()...)
}

// look reacts to what a person did.
func (s *llrpSession) look() {
	if s.faults.take(FaultReset) {
		s.forget()
		s.over = true
		return
	}
	if gone := s.faults.on(FaultAntenna); gone != s.unplugged {
		s.unplugged = gone
		if s.events[8] {
			var event llrpBytes
			connected := byte(1)
			if gone {
				connected = 0
			}
			event.tlv(255, []byte{connected}, be16(1))
			s.event(event)
		}
	}
	if s.faults.take(FaultPreempt) {
		s.preempt()
	}
	s.round()
}

func (s *llrpSession) preempt() {
	s.mu.Lock()
	var ended []uint32
	for id, v := range s.inventories {
		if v.state == llrpActive {
			v.state = llrpInactive
			ended = append(ended, id)
		}
	}
	s.mu.Unlock()
	for _, id := range ended {
		s.inventoryEvent(1, id)
	}
}

func (s *llrpSession) inventoryEvent(what uint8, id uint32) {
	if s.events[2] {
		var event llrpBytes
		event.tlv(249, []byte{what}, be32(id, 0))
		s.event(event)
	}
}

func (s *llrpSession) receive(chunk []byte) {
	if s.faults.on(FaultSilence) {
		return
	}
	s.in = append(s.in, chunk...)
	for !s.over {
		m, size, err := cutLLRPMessage(s.in)
		if err != nil {
			s.over = true
			return
		}
		if size == 0 {
			return
		}
		s.command(m)
		s.in = s.in[size:]
	}
}

// round looks at every antenna once.
func (s *llrpSession) round() {
	s.odd = !s.odd
	if s.faults.on(FaultFlicker) && s.odd {
		return
	}
	s.mu.Lock()
	var told []Act
	var reports [][]byte
	for id, v := range s.inventories {
		if v.state != llrpActive {
			continue
		}
		for _, t := range s.tags {
			if !v.covers(t.antenna) || t.antenna == 1 && s.unplugged {
				continue
			}
			t.read++
			report := s.report(id, v, t)
			if v.held {
				if len(s.waiting) < llrpBacklog {
					s.waiting = append(s.waiting, report)
				}
				continue
			}
			reports = append(reports, report)
			told = append(told, Act{Verb: DidRead, Tag: t.id(), Count: t.read})
		}
	}
	told = append(told, s.wrote...)
	s.wrote = nil
	s.mu.Unlock()
	for _, report := range reports {
		s.say(61, report)
	}
	for _, act := range told {
		s.tell(act)
	}
}

func (v *llrpInventory) covers(antenna uint16) bool {
	for _, a := range v.antennas {
		if a == antenna || a == 0 {
			return true
		}
	}
	return false
}

// report makes the TagReportData of one tag, with the operations that are due
// on it.
func (s *llrpSession) report(id uint32, v *llrpInventory, t *llrpTag) []byte {
	var p llrpBytes
	epc := t.pcEPC()[2:]
	if len(epc) == 12 {
		p.u8(0x80 | 13)
		p = append(p, epc...)
	} else {
		p.tlv(241, be16(uint16(8*len(epc))), epc)
	}
	if v.content&0x8000 != 0 {
		p.u8(0x80 | 9)
		p.u32(id)
	}
	if v.content&0x1000 != 0 {
		p.u8(0x80 | 1)
		p.u16(t.antenna)
	}
	if v.content&0x0400 != 0 {
		p.u8(0x80 | 6)
		p.u8(uint8(t.rssi))
	}
	p.u8(0x80 | 2) // when first seen, whether asked for or not: the host has to skip it
	p.u64(uint64(time.Now().UnixMicro()))
	if v.content&0x0080 != 0 {
		p.u8(0x80 | 8)
		p.u16(1)
	}
	p = append(p, s.operate(t)...)
	var report llrpBytes
	report.tlv(240, p)
	return report
}

// operate carries out the first operation that is due on a tag.
func (s *llrpSession) operate(t *llrpTag) []byte {
	for id, a := range s.accesses {
		if !a.enabled || a.antenna != 0 && a.antenna != t.antenna || !t.matches(a.target) {
			continue
		}
		if s.cfg.Counts && a.op.kind == llrpRead && binary.BigEndian.Uint16(a.op.value[9:]) == 0 {
			var refused llrpBytes
			refused.tlv(llrpReadResult, []byte{llrpReadTagError}, a.op.value[:2], be16(0))
			return s.done(id, a, refused)
		}
		if a.op.kind == llrpWrite {
			s.wrote = append(s.wrote, Act{Verb: DidWrite, Tag: t.id(), Text: fmt.Sprintf("%s %X", bankNames[a.op.value[6]>>6], a.op.value[llrpOperationSize:])})
		}
		return s.done(id, a, t.access(a.op))
	}
	return nil
}

func (s *llrpSession) done(id uint32, a *llrpAccess, result []byte) []byte {
	if a.left > 0 {
		if a.left--; a.left == 0 {
			delete(s.accesses, id)
		}
	}
	var p llrpBytes
	p.u8(0x80 | 16)
	p.u32(id)
	return append(p, result...)
}
