package mfrc522

import (
	"context"
	"fmt"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

// longest is how many bytes of a tag's answer fit the FIFO beside its CRC, in
// whole pages.
const longest = 60

const (
	cmdClassicWrite = 0xA0
	ack             = 0xA
	// authTime is how long the three passes of authentication take.
	authTime = 2500 * time.Microsecond
)

// serve does one job for a tag's memory. The tag is halted after it, like all
// that are known.
func (s *session) serve(ctx context.Context, job *nfctag.Job) error {
	t := &activeTag{chip: &s.chip}
	trouble := job.Do(ctx, t.activate)
	if t.uid == nil || trouble != nil || ctx.Err() != nil {
		return trouble
	}
	return s.halt(ctx)
}

// activeTag is the one tag that is selected. It implements [nfctag.Chip].
type activeTag struct {
	*chip
	uid []byte
}

// activate implements [nfctag.Activator].
func (t *activeTag) activate(ctx context.Context, uid []byte) (nfctag.Chip, nfctag.Activation, error) {
	t.uid = uid
	sak, atqa, err := t.chip.activate(ctx, uid)
	if onAir(err) {
		err = fmt.Errorf("%w: %w", drivers.ErrTagGone, err)
	}
	return t, nfctag.Activation{ATQA: atqa, SAK: sak, Longest: longest}, err
}

// Reselect implements [nfctag.Chip].
func (t *activeTag) Reselect(ctx context.Context) error {
	_, _, err := t.activate(ctx, t.uid)
	return err
}

// Exchange implements [nfctag.Chip]. The write of sixteen bytes has two parts,
// each with an answer of its own (MF1S50yyX, 12.3).
func (t *activeTag) Exchange(ctx context.Context, command []byte) ([]byte, error) {
	if len(command) == 18 && command[0] == cmdClassicWrite {
		if _, err := t.command(ctx, command[:2]); err != nil {
			return nil, err
		}
		return t.command(ctx, command[2:])
	}
	return t.command(ctx, command)
}

func (t *activeTag) command(ctx context.Context, command []byte) ([]byte, error) {
	if len(command) > fifoSize-2 {
		return nil, fmt.Errorf("command of %d bytes, the chip takes %d", len(command), fifoSize-2)
	}
	f := append(t.frame[:0], command...)
	crc := crcA(f)
	a, err := t.transceive(ctx, frame{bytes: append(f, crc[:]...), expect: 18 * 8, ticks: commandTicks})
	switch {
	case onAir(err):
		return nil, fmt.Errorf("%w: %w", nfctag.ErrUnanswered, err)
	case err != nil:
		return nil, err
	case len(a.bytes) == 1 && a.lastBits == 4:
		if nibble := a.bytes[0] & 0x0F; nibble != ack {
			return nil, fmt.Errorf("%w: NAK %X", nfctag.ErrUnanswered, nibble)
		}
		return nil, nil
	}
	b, err := a.checked()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", nfctag.ErrUnanswered, err)
	}
	return b, nil
}

// Authenticate implements [nfctag.Chip]: three passes between chip and tag
// (10.3.1.9), with the last four bytes of the identifier (NXP AN10927). The
// chip does not end them if the tag falls silent, which is how it refuses.
func (t *activeTag) Authenticate(ctx context.Context, block byte, kind nfctag.KeyKind, key nfctag.Key) error {
	f := append(t.frame[:0], byte(kind), block)
	f = append(append(f, key[:]...), t.uid[len(t.uid)-4:]...)
	if err := t.prepare(commandTicks, f); err != nil {
		return err
	}
	if err := t.write(regCommand, cmdMFAuthent); err != nil {
		return err
	}
	t.secret = true
	s, err := t.wait(ctx, irqIdle|irqTimer, authTime, authTime+commandTicks*timerTick)
	if err != nil {
		return err
	}
	if err := ownError(s[stError]); err != nil {
		return err
	}
	if s[stIrq]&irqIdle != 0 && s[stStatus2]&crypto1On != 0 {
		return nil
	}
	if err := t.stopCipher(); err != nil {
		return err
	}
	return fmt.Errorf("%w: authentication failed (ErrorReg %02X)", nfctag.ErrUnanswered, s[stError])
}
