package emulate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// The times that the air takes when a module is paced: its transmitter starts, a
// slot passes in which no tag answers, a tag is singulated, accessed, and reads
// or writes one word.
const (
	carrierStart = 5 * time.Millisecond
	emptySlot    = 400 * time.Microsecond
	singulation  = 3 * time.Millisecond
	accessStart  = 8 * time.Millisecond
	wordRead     = 300 * time.Microsecond
	wordWrite    = 6 * time.Millisecond
	// roundGap is from one round of multiple polling to the next; when nothing
	// is paced it is all of a round.
	roundGap     = time.Millisecond
	unpacedRound = 5 * time.Millisecond
	// waking is how long a module that slept loads its firmware and hears nothing.
	waking = 30 * time.Millisecond
)

// Failures that a module reports.
const (
	m100ReadFailed    = 0x09
	m100WriteFailed   = 0x10
	m100NoTag         = 0x15
	m100AccessFailed  = 0x16
	m100CommandFailed = 0x17
	m100ReadRefused   = 0xA0 // and the tag's own error
	m100WriteRefused  = 0xB0
	gen2Overrun       = 0x03
	gen2Locked        = 0x04
	gen2LowPower      = 0x0B
)

// m100Module is an M100 under power: what it forgets when the power goes.
type m100Module struct {
	*M100
	wire   *wire
	frames m100Frames

	asleep bool
	deaf   time.Time // until when it loads its firmware

	region byte
	power  int // hundredths of a dBm
	query  [2]byte
	sel    []byte // parameters of select
	mode   byte   // 0: select before everything, 1: never, 2: before access

	rounds  int // of multiple polling that are left
	round   <-chan time.Time
	sent    int
	notices int
	looks   int
	tries   int // accesses to tags
}

func (m *m100Module) powerUp() {
	m.frames = m100Frames{head: 0xBB, tail: 0x7E}
	if m.cfg.AA {
		m.frames = m100Frames{head: 0xAA, tail: 0xDD}
	}
	m.asleep, m.deaf = false, time.Time{}
	m.rounds, m.round = 0, nil
	m.speed.Store(int64(m.cfg.Baud))
	m.forget()
}

// forget puts the settings back to those of power-up.
func (m *m100Module) forget() {
	m.region, m.power, m.query = 0x01, 2600, [2]byte{0x10, 0x20}
	m.sel, m.mode = nil, 1
}

func (m *m100Module) loop(chunks <-chan []byte) {
	for {
		select {
		case chunk, ok := <-chunks:
			if !ok {
				return
			}
			m.blink()
			m.hear(chunk)
		case <-m.changed:
			m.blink()
		case <-m.round:
			m.blink()
			if m.rounds > 0 {
				m.rounds--
				m.inventory()
				m.next()
			}
		}
	}
}

// next has the next round come, if there is one.
func (m *m100Module) next() {
	m.round = nil
	if m.rounds > 0 {
		gap := unpacedRound
		if m.cfg.Paced {
			gap = roundGap
		}
		m.round = time.After(gap)
	}
}

// blink lets the faults happen that happen once.
func (m *m100Module) blink() {
	if m.faults.take(FaultForget) {
		m.forget()
	}
	if m.faults.take(FaultReset) {
		m.powerUp()
	}
	if m.faults.take(FaultDropFirst) {
		m.powerUp()
		m.asleep = true
	}
}

func (m *m100Module) hear(chunk []byte) {
	if m.faults.on(FaultSilence) {
		return
	}
	if m.asleep {
		m.asleep = false
		m.deaf = time.Now().Add(waking)
		m.tell(Act{Verb: DidWake})
	}
	if time.Now().Before(m.deaf) {
		return
	}
	for _, c := range m.frames.feed(chunk) {
		m.command(c.code, c.params)
	}
}

func (m *m100Module) answer(code byte, params ...byte) { m.send(m.frames.frame(1, code, params...)) }

func (m *m100Module) fail(code byte, more ...byte) {
	m.send(m.frames.frame(1, 0xFF, append([]byte{code}, more...)...))
}

func (m *m100Module) send(frame []byte) {
	m.sent++
	if m.faults.on(FaultChecksum) && m.sent%3 == 0 {
		frame = bytes.Clone(frame)
		frame[len(frame)-3] ^= 0x10
	}
	m.wire.write(frame)
	if m.cfg.Paced { // the firmware waits for its line
		pause(m.wire.ctx, time.Duration(len(frame))*10*time.Second/time.Duration(m.cfg.Baud))
	}
}

func (m *m100Module) configured(format string, args ...any) {
	m.tell(Act{Verb: DidConfigure, Text: fmt.Sprintf(format, args...)})
}

// command carries out one command. While it polls, a module hears nothing but
// stop.
func (m *m100Module) command(code byte, p []byte) {
	if m.rounds > 0 && code != 0x28 {
		return
	}
	switch {
	case code == 0x03 && len(p) == 1 && p[0] < 3:
		m.answer(code, append([]byte{p[0]}, []string{"M100 V1.00", "V2.3.5", "MagicRf"}[p[0]]...)...)
	case code == 0x22 && len(p) == 0:
		m.inventory()
	case code == 0x27 && len(p) == 3:
		m.rounds = int(p[1])*256 + int(p[2])
		m.next()
	case code == 0x28:
		if m.rounds > 0 {
			m.tell(Act{Verb: DidAbort, Text: "polling"})
		} else if m.cfg.Mute {
			return
		}
		m.rounds, m.round = 0, nil
		m.answer(code, 0x00)
	case code == 0x0B && m.sel != nil:
		m.answer(code, m.sel...)
	case code == 0x0C && len(p) >= 7 && len(p) == 7+(int(p[5])+7)/8:
		m.sel, m.mode = p, 0
		m.answer(code, 0x00)
	case code == 0x12 && len(p) == 1 && p[0] < 3:
		m.mode = p[0]
		if m.cfg.AA {
			m.answer(code, 0x00)
		} else {
			m.answer(0x0C, 0x00) // as this firmware does, and its document prints
		}
	case code == 0x39 && len(p) == 9:
		m.access(p, nil)
	case code == 0x49 && len(p) > 9 && len(p) == 9+2*int(p[8]) && p[7] == 0:
		m.access(p[:9], p[9:])
	case code == 0x17 && len(p) == 0:
		m.answer(code, 0x00)
		m.powerUp()
		m.asleep = true
		m.tell(Act{Verb: DidRelease, Text: "sleep"})
	default:
		m.configure(code, p)
	}
}

// configure carries out the commands that set and read settings.
func (m *m100Module) configure(code byte, p []byte) {
	switch {
	case code == 0x07 && len(p) == 1 && bytes.IndexByte([]byte{1, 2, 3, 4, 6}, p[0]) >= 0:
		m.region = p[0]
		m.configured("region %02X", p[0])
		m.answer(code, 0x00)
	case code == 0x08 && len(p) == 0:
		m.answer(code, m.region)
	case code == 0x0D && len(p) == 0:
		m.answer(code, m.query[:]...)
	case code == 0x0E && len(p) == 2:
		m.query = [2]byte(p)
		m.answer(code, 0x00)
	case code == 0x11 && len(p) == 2: // not answered
		m.speed.Store(100 * (int64(p[0])*256 + int64(p[1])))
		m.configured("baud %d", m.speed.Load())
	case code == 0xB6 && len(p) == 2:
		m.power = min(int(p[0])*256+int(p[1]), 2600)
		m.configured("power %d", m.power)
		m.answer(code, 0x00)
	case code == 0xB7 && len(p) == 0:
		m.answer(code, byte(m.power/256), byte(m.power%256))
	default:
		m.fail(m100CommandFailed)
	}
}

// strength is how a tag is heard now, in dBm.
func (m *m100Module) strength(t *gen2Tag) int {
	s := t.rssi + (m.power-2600)/100
	if m.faults.on(FaultWeak) {
		s = min(s, weakRSSI)
	}
	return s
}

// heard returns the tags that are heard at the moment and, if selected, match
// what was selected.
func (m *m100Module) heard(selected, weakTurn bool) []*gen2Tag {
	if m.faults.on(FaultWeak) && !weakTurn {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := slices.Clone(m.field)
	return slices.DeleteFunc(found, func(t *gen2Tag) bool {
		return m.strength(t) < faintestHeard || selected && m.sel != nil &&
			!t.matches(int(m.sel[0]&3), int(binary.BigEndian.Uint32(m.sel[1:])), int(m.sel[5]), m.sel[7:])
	})
}

// inventory is one round of polling.
func (m *m100Module) inventory() {
	m.looks++
	m.air(carrierStart + emptySlot<<(m.query[1]>>3&0x0F))
	var found []*gen2Tag
	if !m.faults.on(FaultFlicker) || m.looks%2 == 1 {
		found = m.heard(m.mode == 0, m.looks%4 == 0)
	}
	for _, t := range found {
		m.air(singulation)
		m.mu.Lock()
		answer, rssi, id := bytes.Clone(t.pcEPC()), m.strength(t), t.id()
		t.read++
		count := t.read
		m.mu.Unlock()
		m.notice(rssi, answer)
		m.tell(Act{Verb: DidRead, Tag: id, Count: count})
	}
	if m.faults.on(FaultNeighbour) && m.looks%5 == 0 {
		if ghost, err := newGen2Tag(NeighbourTag, "monza-r6"); err == nil {
			m.notice(neighbourRSSI, ghost.pcEPC())
			return
		}
	}
	if len(found) == 0 && !m.cfg.Mute {
		m.fail(m100NoTag)
	}
}

func (m *m100Module) notice(rssi int, pcEPC []byte) {
	crc := gen2CRC(pcEPC)
	frame := m.frames.frame(2, 0x22, append(append([]byte{byte(rssi)}, pcEPC...), byte(crc>>8), byte(crc))...)
	if m.notices++; m.faults.on(FaultOverrun) && m.notices%3 == 0 {
		frame = frame[:len(frame)/2]
	}
	m.send(frame)
}

// air lets time pass as it does between module and tag.
func (m *m100Module) air(d time.Duration) {
	if m.cfg.Paced {
		pause(m.wire.ctx, d)
	}
}

// access reads words of a tag's memory, or writes data to it. p are password,
// bank, first word and number of words.
func (m *m100Module) access(p, data []byte) {
	m.tries++
	code, nobody, refused := byte(0x39), byte(m100ReadFailed), byte(m100ReadRefused)
	if data != nil {
		code, nobody, refused = 0x49, m100WriteFailed, m100WriteRefused
	}
	m.air(carrierStart + accessStart)
	found := m.heard(m.mode != 1, m.tries%4 == 0)
	if len(found) == 0 {
		m.fail(nobody)
		return
	}
	m.mu.Lock()
	t := slices.MaxFunc(found, func(a, b *gen2Tag) int { return a.rssi - b.rssi })
	who := append([]byte{byte(len(t.pcEPC()))}, t.pcEPC()...)
	failure, torn := m.check(t, p, data), false
	bank, first, size := p[4], int(p[5])*256+int(p[6]), int(p[7])*256+int(p[8])
	var held []byte
	if failure == 0 {
		memory := t.banks[bank][2*first : 2*(first+size)]
		if data != nil {
			if torn = m.faults.take(FaultTornWrite); torn {
				data = data[:size/2*2]
			}
			copy(memory, data)
			t.reseal()
		}
		held = bytes.Clone(memory)
	}
	id := t.id()
	m.mu.Unlock()
	switch {
	case torn:
		m.fail(nobody)
	case failure == m100AccessFailed:
		m.fail(failure, who...)
	case failure != 0:
		m.fail(refused|failure, who...)
	case data != nil:
		m.air(wordWrite * time.Duration(size))
		m.tell(Act{Verb: DidWrite, Tag: id, Text: fmt.Sprintf("%s word %d: % X", bankNames[bank], first, data)})
		m.answer(code, append(who, 0x00)...)
	default:
		m.air(wordRead * time.Duration(size))
		m.answer(code, append(who, held...)...)
	}
}

// check returns why a tag refuses, or 0.
func (m *m100Module) check(t *gen2Tag, p, data []byte) byte {
	password := binary.BigEndian.Uint32(p)
	bank, first, size := p[4], int(p[5])*256+int(p[6]), int(p[7])*256+int(p[8])
	switch write := data != nil; {
	case password != 0 && password != t.password:
		return m100AccessFailed
	case bank >= bankCount || 2*(first+size) > len(t.banks[bank]):
		return gen2Overrun
	case t.locked[bank] && (write || bank == bankReserved) && password == 0,
		write && bank == bankTID, write && bank == bankEPC && first == 0:
		return gen2Locked
	case write && m.strength(t) < faintestWrite:
		return gen2LowPower
	}
	return 0
}
