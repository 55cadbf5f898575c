package mfrc522

import (
	"context"
	"errors"
	"fmt"
)

// The dialogue with tags before they take commands: ISO/IEC 14443-3 type A,
// clause 6.

const (
	cmdREQA = 0x26 // wakes tags that are idle
	cmdWUPA = 0x52 // wakes those that were halted as well
	cmdHLTA = 0x50

	// cascadeTag stands in front of a part of an identifier that is not the last
	// (6.5.4), and never begins one of four bytes.
	cascadeTag = 0x88
	sakCascade = 0x04 // the identifier goes on

	maxLevels = 3
	// maxRounds bounds the anticollision of one level: a round for each bit, and
	// as many for what turns out to be noise.
	maxRounds = 80
)

// identifier is the UID of a tag, with what the tag said at its end.
type identifier struct {
	bytes [10]byte
	size  int
	sak   byte
}

func (id *identifier) uid() []byte { return id.bytes[:id.size] }

// selectCode is SEL of a cascade level, counted from 0.
func selectCode(level int) byte { return 0x93 + 2*byte(level) }

// part returns the four bytes of a level, and whether it is the last.
func part(uid []byte, level int) (b [4]byte, last bool) {
	rest := uid[3*level:]
	if len(rest) == 4 {
		return [4]byte(rest), true
	}
	return [4]byte{cascadeTag, rest[0], rest[1], rest[2]}, false
}

// request asks who is there. Tags that answer at once disturb each other; that
// they do says all that is wanted. atqa is zero then.
func (c *chip) request(ctx context.Context, code byte) (there bool, atqa [2]byte, err error) {
	if c.secret {
		if err := c.stopCipher(); err != nil {
			return false, atqa, err
		}
	}
	c.frame[0] = code
	a, err := c.transceive(ctx, frame{bytes: c.frame[:1], lastBits: 7, ticks: pollTicks})
	switch {
	case err == nil && len(a.bytes) == 2 && a.lastBits == 0:
		return true, [2]byte{a.bytes[1], a.bytes[0]}, nil
	case err == nil, errors.Is(err, errCollided), errors.Is(err, errDamaged):
		return true, atqa, nil
	case errors.Is(err, errNoAnswer):
		return false, atqa, nil
	}
	return false, atqa, err
}

// identify finds the identifier of one of the tags that answered a request, and
// selects it.
func (c *chip) identify(ctx context.Context) (identifier, error) {
	var id identifier
	for level := range maxLevels {
		bits, err := c.anticollide(ctx, level)
		if err != nil {
			return id, err
		}
		sak, err := c.selectPart(ctx, level, bits)
		if err != nil {
			return id, err
		}
		more := bits[0] == cascadeTag
		if more != (sak&sakCascade != 0) {
			return id, fmt.Errorf("%w: SAK %02X upon the part % X of an identifier", errDamaged, sak, bits)
		}
		if !more {
			id.size += copy(id.bytes[id.size:], bits[:])
			id.sak = sak
			return id, nil
		}
		id.size += copy(id.bytes[id.size:], bits[1:])
	}
	return id, fmt.Errorf("%w: identifier of more than %d parts", errDamaged, maxLevels)
}

// choice is one decision at a collision: which tags go on.
type choice struct {
	known int // bits known for certain before it
	at    int // the bit decided, counted from 1; it and what lies between were read
	value byte
	open  bool
}

// anticollide finds one level of one identifier, bit by bit where tags disagree.
// Of two ways it goes first to the tags with a one; if nobody is there, to the
// others; and if nobody is there either, the place of the collision was wrong,
// and it goes on by a single bit.
func (c *chip) anticollide(ctx context.Context, level int) ([4]byte, error) {
	var bits [5]byte // with its check byte
	known := 0
	var last choice
	damaged := 0
	for range maxRounds {
		full, rest := known/8, known%8
		c.frame[0], c.frame[1] = selectCode(level), byte(2+full)<<4|byte(rest)
		n := 2 + copy(c.frame[2:], bits[:(known+7)/8])
		a, err := c.transceive(ctx, frame{bytes: c.frame[:n], lastBits: rest, expect: 40 - known, ticks: pollTicks})
		switch {
		case err == nil:
			return finish(bits, known, a)
		case errors.Is(err, errCollided) && known < 32: // the check byte has no other way: that is noise
			last = decide(&bits, known, a)
		case errors.Is(err, errNoAnswer) && last.open:
			last = last.other(&bits)
		case errors.Is(err, errDamaged) && damaged < attempts:
			damaged++ // the tag stays where it is, and can be asked again
			continue
		default:
			return [4]byte{}, err
		}
		known = last.at
	}
	return [4]byte{}, fmt.Errorf("%w: after %d rounds", errCollided, maxRounds)
}

// finish completes a level by an answer without collision.
func finish(bits [5]byte, known int, a answer) ([4]byte, error) {
	if len(a.bytes) != 5-known/8 || a.lastBits != 0 {
		return [4]byte{}, fmt.Errorf("%w: %d bytes of identifier, %d bits of the last, upon %d bits", errDamaged, len(a.bytes), a.lastBits, known)
	}
	merge(&bits, known, 40, a.bytes)
	if bits[0]^bits[1]^bits[2]^bits[3] != bits[4] {
		return [4]byte{}, fmt.Errorf("%w: check byte %02X of identifier % X", errDamaged, bits[4], bits[:4])
	}
	return [4]byte(bits[:4]), nil
}

// merge takes bits known to end of an answer that begins at the byte of the
// first of them.
func merge(bits *[5]byte, known, end int, got []byte) {
	for i := known; i < end && i/8-known/8 < len(got); i++ {
		bit := got[i/8-known/8] >> (i % 8) & 1
		bits[i/8] = bits[i/8]&^(1<<(i%8)) | bit<<(i%8)
	}
}

// decide takes what was received before a collision, and a one at it.
func decide(bits *[5]byte, known int, a answer) choice {
	at := known - known%8 + a.collision // CollPos counts from the first bit of the FIFO
	if a.collision == 0 || at <= known || at > 32 {
		at = known + 1
	}
	merge(bits, known, at-1, a.bytes)
	ch := choice{known: known, at: at, value: 1, open: true}
	ch.set(bits)
	return ch
}

func (ch choice) set(bits *[5]byte) {
	i := ch.at - 1
	bits[i/8] = bits[i/8]&^(1<<(i%8)) | ch.value<<(i%8)
}

// other is what remains to try when nobody answers to a choice.
func (ch choice) other(bits *[5]byte) choice {
	switch {
	case ch.value == 1:
		ch.value = 0
		ch.open = ch.at > ch.known+1
	default:
		ch.at, ch.value = ch.known+1, 1
	}
	ch.set(bits)
	return ch
}

// selectPart selects the tag with a level's part of an identifier; the others
// fall back to where they were before the request.
func (c *chip) selectPart(ctx context.Context, level int, bits [4]byte) (sak byte, err error) {
	f := append(c.frame[:0], selectCode(level), 0x70)
	f = append(f, bits[:]...)
	f = append(f, bits[0]^bits[1]^bits[2]^bits[3])
	crc := crcA(f)
	a, err := c.transceive(ctx, frame{bytes: append(f, crc[:]...), expect: 24, ticks: pollTicks})
	if err != nil {
		return 0, err
	}
	b, err := a.checked()
	if err != nil {
		return 0, err
	}
	if len(b) != 1 {
		return 0, fmt.Errorf("%w: SAK of %d bytes", errDamaged, len(b))
	}
	return b[0], nil
}

// activate wakes all tags and selects the one with an identifier.
func (c *chip) activate(ctx context.Context, uid []byte) (sak byte, atqa [2]byte, err error) {
	there, atqa, err := c.request(ctx, cmdWUPA)
	if err == nil && !there {
		err = errNoAnswer
	}
	if err != nil {
		return 0, atqa, err
	}
	for level := 0; ; level++ {
		b, last := part(uid, level)
		sak, err = c.selectPart(ctx, level, b)
		if err != nil || last {
			return sak, atqa, err
		}
	}
}

// halt sends the selected tag to sleep: it answers a WUPA only, so that requests
// are for those that came since. Silence is its consent.
func (c *chip) halt(ctx context.Context) error {
	f := append(c.frame[:0], cmdHLTA, 0x00)
	crc := crcA(f)
	_, err := c.transceive(ctx, frame{bytes: append(f, crc[:]...), ticks: pollTicks})
	if onAir(err) {
		err = nil
	}
	if c.secret && err == nil {
		err = c.stopCipher()
	}
	return err
}
