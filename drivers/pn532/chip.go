package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traveler.example/drivers"
)

// Commands of the chip (UM0701-02, 7).
const (
	cmdGetFirmwareVersion  = 0x02
	cmdSetParameters       = 0x12
	cmdSAMConfiguration    = 0x14
	cmdRFConfiguration     = 0x32
	cmdInListPassiveTarget = 0x4A
)

const (
	icPN532 = 0x32
	// maxTargets is how many tags the chip can list at once.
	maxTargets = 2
	// answerLimit is for commands that the chip answers from its head.
	answerLimit = 150 * time.Millisecond
	// listLimit is for a look at the field: every try for both targets, and the
	// anticollision of two long identifiers.
	listLimit = 250 * time.Millisecond
	// passiveRetries is how often the chip tries again when nobody answers. One
	// try is not enough: a tag that was selected by the last look is silent at
	// the first request, falls back to idle, and answers the second. More
	// tries make a look at an empty field longer.
	passiveRetries = 2
	// watchRetries is how often it tries before it says that an empty field is
	// still empty, some 200 ms: a tag that comes is answered at once, and the host
	// sleeps meanwhile. Without an end, nothing would show that the chip lives.
	watchRetries = 40
	// watchLimit is for such a look, on chips that take longer for a try.
	watchLimit = 600 * time.Millisecond
)

// chip speaks the commands that a reader of identifiers needs.
type chip struct {
	*link
	firmware [4]byte // IC, version, revision, supported protocols
	seen     [maxTargets]seenTag
	tags     [maxTargets]drivers.Tag
	patient  bool // the time that a tag may take for a command was set
	tries    byte // as passiveRetries or watchRetries were set; 0: not known
}

// seenTag spares making the same Tag anew with each read.
type seenTag struct {
	raw [10]byte
	n   int
	tag drivers.Tag
}

// start wakes the chip, makes sure that it is a PN532, and applies the settings.
func (c *chip) start(ctx context.Context) error {
	if err := c.resync(ctx); err != nil {
		return fmt.Errorf("wake: %w", err)
	}
	preamble, err := c.wake()
	if err == nil {
		_, err = c.exchange(ctx, answerLimit, preamble, c.mode()...)
	}
	if err != nil {
		return fmt.Errorf("wake: %w", err)
	}
	firmware, err := c.version(ctx)
	if err != nil {
		return fmt.Errorf("identify: %w", err)
	}
	if firmware[0] != icPN532 {
		return fmt.Errorf("identify: %w: chip %02X is not a PN532", drivers.ErrProtocol, firmware[0])
	}
	c.firmware = firmware
	return c.settings(ctx)
}

// mode is the command for normal mode, without a SAM; with a pin to say that the
// chip is ready, if one is connected (7.2.10).
func (c *chip) mode() []byte {
	if c.bus != nil && c.bus.interrupts() {
		return []byte{cmdSAMConfiguration, 0x01, 0x00, 0x01}
	}
	return []byte{cmdSAMConfiguration, 0x01}
}

// settings applies everything that a chip forgets when its supply blinks.
func (c *chip) settings(ctx context.Context) error {
	c.patient, c.tries = false, 0
	for _, cmd := range [...][]byte{
		c.mode(),
		{cmdSetParameters, 0x00}, // no automatic RATS: identifiers are all that is asked for
		retries(passiveRetries),
		{cmdRFConfiguration, 0x01, 0x01}, // field on
	} {
		if _, err := c.exchange(ctx, answerLimit, nil, cmd...); err != nil {
			return fmt.Errorf("apply settings: %w", err)
		}
	}
	c.tries = passiveRetries
	return nil
}

// retries is the command that sets MxRtyATR, MxRtyPSL and MxRtyPassiveActivation.
func retries(n byte) []byte { return []byte{cmdRFConfiguration, 0x05, 0x00, 0x00, n} }

// try has the chip try so often from now on.
func (c *chip) try(ctx context.Context, n byte) error {
	if c.tries == n {
		return nil
	}
	c.tries = 0
	_, err := c.exchange(ctx, answerLimit, nil, retries(n)...)
	if err == nil {
		c.tries = n
	}
	return err
}

func (c *chip) version(ctx context.Context) ([4]byte, error) {
	answer, err := c.exchange(ctx, answerLimit, nil, cmdGetFirmwareVersion)
	if err != nil {
		return [4]byte{}, err
	}
	if len(answer) != 4 {
		return [4]byte{}, fmt.Errorf("%w: firmware version of %d bytes, 4 are expected", drivers.ErrProtocol, len(answer))
	}
	return [4]byte(answer), nil
}

// ping makes sure that the chip is alive and still the same one.
func (c *chip) ping(ctx context.Context) error {
	firmware, err := c.version(ctx)
	if err == nil && firmware != c.firmware {
		err = fmt.Errorf("%w: firmware %X was %X before", drivers.ErrProtocol, firmware, c.firmware)
	}
	return err
}

// field switches the carrier. Off and on again brings every tag back to where
// it answers a request, whatever state the last look left it in.
func (c *chip) field(ctx context.Context, on byte) error {
	_, err := c.exchange(ctx, answerLimit, nil, cmdRFConfiguration, 0x01, on)
	return err
}

// watch looks at an empty field until a tag comes or the tries are over. It asks for
// one tag: having found it, the chip would go on trying for a second.
func (c *chip) watch(ctx context.Context) ([]drivers.Tag, time.Time, error) {
	if err := c.try(ctx, watchRetries); err != nil {
		return nil, c.at, err
	}
	return c.listUpTo(ctx, 1, watchLimit)
}

// list looks at the field once and returns the tags in it and the time of the
// last byte of the answer. Tags whose identifier was refused are left out, and
// err wraps drivers.ErrTagID; the others are still returned.
func (c *chip) list(ctx context.Context) ([]drivers.Tag, time.Time, error) {
	if err := c.try(ctx, passiveRetries); err != nil {
		return nil, c.at, err
	}
	return c.listUpTo(ctx, maxTargets, listLimit)
}

func (c *chip) listUpTo(ctx context.Context, most byte, limit time.Duration) ([]drivers.Tag, time.Time, error) {
	answer, err := c.exchange(ctx, limit, nil, cmdInListPassiveTarget, most, 0x00) // 106 kbit/s type A
	if err != nil {
		return nil, c.at, err
	}
	var targets [maxTargets]target
	n, err := parseTargets(&targets, answer)
	if err != nil {
		return nil, c.at, err
	}
	found := c.tags[:0]
	for i, t := range targets[:n] {
		tag, bad := c.seen[i].make(t.id)
		if bad != nil {
			err = errors.Join(err, bad)
			continue
		}
		found = append(found, tag)
	}
	return found, c.at, err
}

func (s *seenTag) make(id []byte) (drivers.Tag, error) {
	if s.n == len(id) && string(s.raw[:s.n]) == string(id) {
		return s.tag, nil
	}
	if len(id) == 4 && id[0] == cascadeTag {
		return drivers.Tag{}, fmt.Errorf("%w: %X is the first part of a longer one", drivers.ErrTagID, id)
	}
	tag, err := drivers.NewTag(id, drivers.ISO14443A)
	if err == nil {
		s.n, s.tag = copy(s.raw[:], id), tag
	}
	return tag, err
}

// cascadeTag stands in front of the parts of an identifier that is longer than
// four bytes (ISO/IEC 14443-3, 6.5.4), and never begins one of four.
const cascadeTag = 0x88

// target is one tag as InListPassiveTarget reports it (UM0701-02, 7.3.5).
type target struct {
	sens [2]byte // ATQA
	sel  byte    // SAK
	id   []byte
}

// parseTargets reads the answer to InListPassiveTarget at 106 kbit/s type A,
// after its code. A tag that speaks ISO/IEC 14443-4 may carry its ATS, which
// does not say that it is there: the answer is read without, and if that does
// not come out even, with it.
func parseTargets(dst *[maxTargets]target, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, fmt.Errorf("%w: list of tags without a count", drivers.ErrProtocol)
	}
	n := int(b[0])
	if n > maxTargets {
		return 0, fmt.Errorf("%w: %d tags listed, %d were asked for", drivers.ErrProtocol, n, maxTargets)
	}
	if n == 0 {
		return 0, nil
	}
	if parseList(dst[:n], b[1:], false) || parseList(dst[:n], b[1:], true) {
		return n, nil
	}
	return 0, fmt.Errorf("%w: list of %d tags makes no sense: % X", drivers.ErrProtocol, n, b)
}

func parseList(dst []target, b []byte, ats bool) bool {
	for i := range dst {
		if len(b) < 5 || int(b[0]) != i+1 {
			return false
		}
		t := target{sens: [2]byte(b[1:3]), sel: b[3]}
		size := int(b[4])
		if b = b[5:]; size != 4 && size != 7 && size != 10 || len(b) < size {
			return false
		}
		t.id, b = b[:size], b[size:]
		if ats && t.sel&0x20 != 0 {
			if len(b) == 0 || b[0] == 0 || int(b[0]) > len(b) {
				return false
			}
			b = b[b[0]:] // TL counts itself
		}
		dst[i] = t
	}
	return len(b) == 0
}
