package mfrc522

import (
	"context"
	"errors"
	"testing"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/spi"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

// hostile is a bus whose chip says what a fuzzer makes up, but for what makes it
// a chip at all.
type hostile struct {
	say   []byte
	count int
}

func (h *hostile) String() string               { return "hostile" }
func (h *hostile) Duplex() conn.Duplex          { return conn.Full }
func (h *hostile) TxPackets([]spi.Packet) error { return errors.New("not used") }

func (h *hostile) Tx(w, r []byte) error {
	h.count++
	for i := range max(0, len(r)-1) {
		r[i+1] = 0
		switch w[i] >> 1 & 0x3F {
		case regTxControl:
			r[i+1] = txControl
		case regTMode:
			r[i+1] = timerAuto
		case regVersion:
			r[i+1] = 0x92
		default:
			if len(h.say) > 0 {
				r[i+1], h.say = h.say[0], h.say[1:]
			}
			if w[i]>>1&0x3F == regComIrq {
				r[i+1] |= irqTimer // it does end
			}
		}
	}
	return nil
}

// FuzzAnswers gives the driver a chip that says anything: whatever that is, it
// ends after a bounded number of transfers, with an identifier that checks or an
// error of the right kind.
func FuzzAnswers(f *testing.F) {
	for _, seed := range [][]byte{
		nil,
		{irqRx, 0, 2, 0, collNotValid, 0, 0x04, 0x00},
		// ATQA, four bytes with their check byte, SAK with CRC
		{irqRx, 0, 2, 0, collNotValid, 0, 4, 0, irqRx, 0, 5, 0, collNotValid, 0, 0xDE, 0xAD, 0xBE, 0xEF, 0x22, irqRx, 0, 3, 0, collNotValid, 0, 0x08, 0xB6, 0xDD},
		// a collision in each round
		{irqRx | irqErr, errCollision, 2, 0, 3, 0, 4, 0, irqRx | irqErr, errCollision, 5, 0, 9, 0, 1, 2, 3, 4, 5, irqRx | irqErr, errCollision, 4, 0, 12, 0, 1, 2, 3, 4},
		// a FIFO of more than there is
		{irqRx, 0, 0xFF, 7, 0, 0},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, say []byte) {
		bus := &hostile{say: say}
		c := scripted(status{}, nil)
		c.conn = bus
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		there, _, err := c.request(ctx, cmdWUPA)
		if err == nil && there {
			id, err := c.identify(ctx)
			switch {
			case err == nil:
				if n := id.size; n != 4 && n != 7 && n != 10 {
					t.Errorf("identifier % X of %d bytes", id.uid(), n)
				}
			case !onAir(err) && !errors.Is(err, drivers.ErrProtocol):
				t.Errorf("identify: %v", err)
			}
		}
		tag := &activeTag{chip: c, uid: []byte{1, 2, 3, 4}}
		b, err := tag.Exchange(ctx, []byte{0x30, 0x04})
		if len(b) > fifoSize-2 || err != nil && !errors.Is(err, nfctag.ErrUnanswered) && !errors.Is(err, drivers.ErrProtocol) {
			t.Errorf("exchange: % X, %v", b, err)
		}
		if bus.count > maxLevels*maxRounds*12 {
			t.Errorf("%d transfers", bus.count)
		}
	})
}

// FuzzFinish holds the making of identifiers to bits that are checked.
func FuzzFinish(f *testing.F) {
	f.Add([]byte{0xDE, 0xAD, 0xBE, 0xEF, 0x22}, 0, 0)
	f.Add([]byte{0x28, 0xEF, 0x22}, 19, 3)
	f.Fuzz(func(t *testing.T, got []byte, known, collision int) {
		if known < 0 || known > 32 || collision < 0 || collision > 32 {
			return
		}
		var bits [5]byte
		if id, err := finish(bits, known, answer{bytes: got}); err == nil && len(got) != 5-known/8 {
			t.Errorf("% X of %d bytes upon %d bits", id, len(got), known)
		}
		if known == 32 {
			return
		}
		for ch, n := decide(&bits, known, answer{bytes: got, collision: collision}), 0; ch.open; ch = ch.other(&bits) {
			if n++; n > 4 || ch.at <= known || ch.at > 32 {
				t.Fatalf("choice %+v upon %d bits and collision %d", ch, known, collision)
			}
		}
	})
}
