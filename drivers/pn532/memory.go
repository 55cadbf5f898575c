package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traveler.example/drivers"
	"traveler.example/drivers/nfctag"
)

// Commands to an activated tag (UM0701-02, 7.3.8 and 7.3.9).
const (
	cmdInDataExchange    = 0x40
	cmdInCommunicateThru = 0x42
)

const (
	// tagTimeout is what a tag may take for one command: 100 µs doubled so often
	// less one (7.3.1, item 2): 12.8 ms. The slowest write takes 10.
	tagTimeout = 0x08
	// exchangeLimit is for a command to a tag, with the longest answer.
	exchangeLimit = 250 * time.Millisecond
	// longestAnswer of a tag still fits into a normal frame: 60 pages.
	longestAnswer = 240
)

// Layout implements [drivers.Memory].
func (r *Reader) Layout(ctx context.Context, t drivers.Tag) (drivers.Layout, error) {
	return r.memory.Layout(ctx, t)
}

// ReadMemory implements [drivers.Memory].
func (r *Reader) ReadMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	return r.memory.ReadMemory(ctx, t, a, off, b)
}

// WriteMemory implements [drivers.Memory].
func (r *Reader) WriteMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	return r.memory.WriteMemory(ctx, t, a, off, b)
}

// Format lays a blank tag out for NDEF; see [nfctag.Tag.Format].
func (r *Reader) Format(ctx context.Context, t drivers.Tag) error { return r.memory.Format(ctx, t) }

// serve does one job on a tag's memory and meets trouble of the chip as a look
// does.
func (s *session) serve(ctx context.Context, job *nfctag.Job) error {
	err := job.Do(ctx, s.activate)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return s.meet(ctx, err)
}

// activate selects the tag with an identifier, whoever lies beside it.
func (s *session) activate(ctx context.Context, uid []byte) (nfctag.Chip, nfctag.Activation, error) {
	if !s.patient {
		if _, err := s.exchange(ctx, answerLimit, nil, cmdRFConfiguration, 0x02, 0x00, 0x0B, tagTimeout); err != nil {
			return nil, nfctag.Activation{}, err
		}
		s.patient = true
	}
	a := &activated{session: s, uid: uid}
	act, err := a.selectTag(ctx)
	return a, act, err
}

// activated is the one tag that the chip talks to. It implements [nfctag.Chip].
type activated struct {
	*session
	uid []byte
	cmd []byte
}

// selectTag activates the tag. A tag that was halted hears the request of the
// chip no more, so that the field is taken away if it does not answer.
func (a *activated) selectTag(ctx context.Context) (nfctag.Activation, error) {
	act, err := a.list(ctx)
	if errors.Is(err, drivers.ErrTagGone) {
		if err := a.restartTags(ctx); err != nil {
			return act, err
		}
		act, err = a.list(ctx)
	}
	return act, err
}

// list asks for the tag by its identifier (7.3.5: with the cascade tags).
func (a *activated) list(ctx context.Context) (nfctag.Activation, error) {
	a.cmd = appendCascaded(append(a.cmd[:0], cmdInListPassiveTarget, 1, 0x00), a.uid)
	answer, err := a.exchange(ctx, listLimit, nil, a.cmd...)
	if err != nil {
		return nfctag.Activation{}, err
	}
	var targets [maxTargets]target
	n, err := parseTargets(&targets, answer)
	switch {
	case err != nil:
		return nfctag.Activation{}, err
	case n == 0 || string(targets[0].id) != string(a.uid):
		return nfctag.Activation{}, drivers.ErrTagGone
	}
	return nfctag.Activation{ATQA: targets[0].sens, SAK: targets[0].sel, Longest: longestAnswer}, nil
}

func appendCascaded(dst, uid []byte) []byte {
	for len(uid) > 4 {
		dst = append(append(dst, cascadeTag), uid[:3]...)
		uid = uid[3:]
	}
	return append(dst, uid...)
}

// Reselect implements [nfctag.Chip].
func (a *activated) Reselect(ctx context.Context) error {
	_, err := a.selectTag(ctx)
	return err
}

// Exchange implements [nfctag.Chip]. InDataExchange knows the commands READ and
// WRITE and adds what belongs to them; others, one of which it would take for
// the authentication of a MIFARE Classic, pass through as they are.
func (a *activated) Exchange(ctx context.Context, command []byte) ([]byte, error) {
	switch command[0] {
	case 0x30, 0xA0, 0xA2:
		a.cmd = append(a.cmd[:0], cmdInDataExchange, 1)
	default:
		a.cmd = append(a.cmd[:0], cmdInCommunicateThru)
	}
	a.cmd = append(a.cmd, command...)
	return a.ask(ctx)
}

// Authenticate implements [nfctag.Chip]. The tag proves itself with the last
// four bytes of its identifier.
func (a *activated) Authenticate(ctx context.Context, block byte, kind nfctag.KeyKind, key nfctag.Key) error {
	a.cmd = append(a.cmd[:0], cmdInDataExchange, 1, byte(kind), block)
	a.cmd = append(append(a.cmd, key[:]...), a.uid[len(a.uid)-4:]...)
	_, err := a.ask(ctx)
	return err
}

func (a *activated) ask(ctx context.Context) ([]byte, error) {
	answer, err := a.exchange(ctx, exchangeLimit, nil, a.cmd...)
	if err != nil {
		return nil, err
	}
	if len(answer) == 0 {
		return nil, fmt.Errorf("%w: answer to %02X without a status", drivers.ErrProtocol, a.cmd[0])
	}
	if err := statusError(answer[0]); err != nil {
		return nil, err
	}
	return answer[1:], nil
}

// statusError reads the status byte of an answer (7.1): bit 7 speaks of a NAD,
// which is not used; bit 6 says that more follows, which no command here makes a
// tag do.
func statusError(status byte) error {
	switch code := status & 0x3F; code {
	case 0x00:
		if status&0x40 != 0 {
			return fmt.Errorf("%w: status %02X: more is to follow", drivers.ErrProtocol, status)
		}
		return nil
	case 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, // time, CRC, parity, bit count, framing, collision, size
		0x0B, 0x13, 0x14, 0x23, // protocol, format, authentication, check byte of the identifier
		0x25, 0x27, 0x29, 0x2A, 0x2B: // no tag in this state any more
		return fmt.Errorf("%w: status %02X", nfctag.ErrUnanswered, status)
	}
	return fmt.Errorf("%w: the chip reports status %02X", drivers.ErrProtocol, status)
}
