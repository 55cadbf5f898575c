package llrp

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"traveler.example/drivers"
)

const (
	// accessLimit is how long a tag may take to come by for an operation.
	accessLimit = 2 * time.Second
	// readWords and writeWords are what is asked for in one operation: a longer
	// dialogue with a tag at the edge of the field fails more often, and is then
	// lost as a whole.
	readWords  = 32
	writeWords = 16
	// maxBank bounds a bank, in bytes; the largest user banks have 8 KB.
	maxBank = 8 << 10
)

// operation is one access to a tag's memory that a reader asks a session for.
type operation struct {
	access access
	answer chan error // takes one; result is set before

	result   result
	finished bool
}

// finish takes the result from a report if it is that of this operation.
func (op *operation) finish(o *observation) {
	if op.finished || o.result.op != op.access.op {
		return
	}
	op.finished = true
	op.result = o.result
	op.result.data = bytes.Clone(o.result.data)
	if !bytes.Equal(o.epc, op.access.epc) {
		// The filter of an access takes every EPC that begins with the wanted one.
		op.result = result{kind: o.result.kind, code: codeOtherTag}
	}
}

// codeOtherTag is ours: no reader answers it.
const codeOtherTag = 0xFF

// perform carries out an operation. What it returns is the end of the
// connection; what became of the operation goes to its answer.
func (s *session) perform(ctx context.Context, op *operation) error {
	s.lastOp++
	op.access.spec, op.access.inventory, op.access.op = accessID, inventoryID, s.lastOp
	s.waiting = op
	lost, failed := s.tryAccess(ctx, op)
	s.waiting = nil
	switch {
	case lost != nil:
		op.answer <- fmt.Errorf("%w: %w", drivers.ErrDown, lost)
	case failed != nil:
		op.answer <- failed
	case !op.finished:
		op.answer <- fmt.Errorf("%w: the reader did not see it within %v", drivers.ErrTagGone, accessLimit)
	default:
		op.answer <- op.result.err()
	}
	return lost
}

// tryAccess tells the loss of the connection from a refusal of the reader.
func (s *session) tryAccess(ctx context.Context, op *operation) (lost, failed error) {
	for _, step := range [...]struct {
		t    MessageType
		body []byte
	}{{AddAccessSpec, encodeAccess(op.access)}, {EnableAccessSpec, encodeID(accessID)}} {
		m, err := s.exchange(ctx, step.t, step.body)
		if err != nil {
			return err, nil
		}
		if err := parseStatus(m); err != nil {
			_, lost = s.exchange(ctx, DeleteAccessSpec, encodeID(accessID))
			return lost, fmt.Errorf("%v: %w", step.t, err)
		}
	}
	deadline := time.Now().Add(accessLimit)
	for !op.finished {
		m, err := s.next(ctx, deadline)
		if errors.Is(err, errTime) {
			break
		}
		if err != nil {
			return err, nil
		}
		if err := s.handle(ctx, m); err != nil {
			return err, nil
		}
	}
	// Readers may have dropped a spec that is done, so its status says nothing.
	_, lost = s.exchange(ctx, DeleteAccessSpec, encodeID(accessID))
	return lost, nil
}

// err returns what the code of a result means, or nil for success (LLRP 1.1,
// 16.2.1.5.10 and 11; 1.0.1 knows fewer codes, with the same numbers).
func (r result) err() error {
	switch {
	case r.code == 0:
		return nil
	case r.code == codeOtherTag:
		return fmt.Errorf("%w: a tag with a longer EPC answered for it", drivers.ErrTagGone)
	case r.kind == pC1G2ReadOpSpecResult:
		return readError(r.code)
	}
	return writeError(r.code)
}

func readError(code uint8) error {
	switch code {
	case 1:
		return fmt.Errorf("%w: it answered with an error, as it does beyond the end of its memory", drivers.ErrNoArea)
	case 2:
		return fmt.Errorf("%w: it did not answer", drivers.ErrTagGone)
	case 4:
		return fmt.Errorf("%w: it ends before", drivers.ErrNoArea)
	case 5:
		return fmt.Errorf("%w against reading", drivers.ErrLocked)
	case 6:
		return fmt.Errorf("%w: it wants a password", drivers.ErrLocked)
	}
	return fmt.Errorf("%w: reading failed in the reader with code %d", drivers.ErrProtocol, code)
}

func writeError(code uint8) error {
	switch code {
	case 1:
		return fmt.Errorf("%w: it ends before", drivers.ErrNoArea)
	case 2:
		return fmt.Errorf("%w against writing", drivers.ErrLocked)
	case 3:
		return fmt.Errorf("%w: its power did not suffice, bring it nearer", drivers.ErrUnverified)
	case 4:
		return fmt.Errorf("%w: it answered with an error", drivers.ErrLocked)
	case 5:
		return fmt.Errorf("%w: it did not answer", drivers.ErrTagGone)
	case 7:
		return fmt.Errorf("%w: it wants a password", drivers.ErrLocked)
	}
	return fmt.Errorf("%w: writing failed in the reader with code %d", drivers.ErrProtocol, code)
}

// access has the live session carry out an operation.
func (p *Portal) access(ctx context.Context, a access) (result, error) {
	p.mu.Lock()
	s := p.live
	p.mu.Unlock()
	if s == nil {
		return result{}, drivers.ErrDown
	}
	op := &operation{access: a, answer: make(chan error, 1)}
	select {
	case s.ops <- op:
	case <-s.over:
		return result{}, drivers.ErrDown
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
	// The session answers whatever happens, and soon once its context ends.
	select {
	case err := <-op.answer:
		return op.result, err
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
}

// Layout implements [drivers.Memory]. Type is the beginning of the tag's TID in
// hex: class, designer and model of the chip.
func (r *Reader) Layout(ctx context.Context, t drivers.Tag) (drivers.Layout, error) {
	layout := drivers.Layout{Sizes: map[drivers.Area]int{}}
	for _, area := range [...]drivers.Area{drivers.AreaTID, drivers.AreaEPC, drivers.AreaUser} {
		size, err := r.size(ctx, t, area)
		if err != nil {
			return drivers.Layout{}, fmt.Errorf("layout of tag %v: %s: %w", t, area, err)
		}
		if size > 0 {
			layout.Sizes[area] = size
		}
	}
	chip, err := r.read(ctx, t, drivers.AreaTID, 0, 2)
	if err != nil {
		return drivers.Layout{}, fmt.Errorf("layout of tag %v: %w", t, err)
	}
	layout.Type = fmt.Sprintf("Gen2 chip %X", chip)
	return layout, nil
}

// size returns the size of an area in bytes; 0 if there is none that can be
// read. A reader may read a bank to its end when asked for 0 words; from one that
// does not it is found out by trying words.
func (r *Reader) size(ctx context.Context, t drivers.Tag, a drivers.Area) (int, error) {
	got, err := r.read(ctx, t, a, 0, 0)
	if err == nil && len(got) > 0 {
		return len(got), nil
	}
	has := func(words int) (bool, error) {
		_, err := r.read(ctx, t, a, words-1, 1)
		if errors.Is(err, drivers.ErrNoArea) || errors.Is(err, drivers.ErrLocked) {
			return false, nil
		}
		return err == nil, err
	}
	if err != nil && !errors.Is(err, drivers.ErrNoArea) && !errors.Is(err, drivers.ErrLocked) {
		return 0, err
	}
	beyond := 1 // a number of words that it does not have
	for beyond <= maxBank/2 {
		ok, err := has(beyond)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		beyond *= 2
	}
	least := beyond / 2
	for beyond-least > 1 {
		middle := (least + beyond) / 2
		ok, err := has(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			least = middle
		} else {
			beyond = middle
		}
	}
	return 2 * least, nil
}

// ReadMemory implements [drivers.Memory].
func (r *Reader) ReadMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	if err := r.readInto(ctx, t, a, off, b); err != nil {
		return fmt.Errorf("read %d bytes at %d of %s of tag %v: %w", len(b), off, a, t, err)
	}
	return nil
}

func (r *Reader) readInto(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	if err := checkRange(off, len(b)); err != nil {
		return err
	}
	for done := 0; done < len(b); {
		word := (off + done) / 2
		skip := (off + done) % 2
		words := min(readWords, (skip+len(b)-done+1)/2)
		got, err := r.read(ctx, t, a, word, words)
		if err != nil {
			return err
		}
		if len(got) < 2*words {
			return fmt.Errorf("%w: %d bytes came of %d", drivers.ErrProtocol, len(got), 2*words)
		}
		done += copy(b[done:], got[skip:2*words])
	}
	return nil
}

// WriteMemory implements [drivers.Memory]. The EPC area is refused: it is the
// name under which everything else knows the tag, and a portal may see others
// that get the same.
func (r *Reader) WriteMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	if err := r.write(ctx, t, a, off, b); err != nil {
		return fmt.Errorf("write %d bytes at %d of %s of tag %v: %w", len(b), off, a, t, err)
	}
	return nil
}

func (r *Reader) write(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	if err := checkRange(off, len(b)); err != nil || len(b) == 0 {
		return err
	}
	if a == drivers.AreaEPC {
		return fmt.Errorf("%w: a portal does not rename tags; write it at a table reader", drivers.ErrLocked)
	}
	whole, err := r.wholeWords(ctx, t, a, off, b)
	if err != nil {
		return err
	}
	first := off / 2
	for done := 0; done < len(whole); done += 2 * writeWords {
		part := whole[done:min(done+2*writeWords, len(whole))]
		got, err := r.ask(ctx, t, a, access{word: uint16(first + done/2), write: part})
		if err != nil {
			return err
		}
		if int(got.words) != len(part)/2 {
			return fmt.Errorf("%w: %d words were written of %d", drivers.ErrUnverified, got.words, len(part)/2)
		}
	}
	kept := make([]byte, len(whole))
	if err := r.readInto(ctx, t, a, 2*first, kept); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !bytes.Equal(kept, whole) {
		return drivers.ErrUnverified
	}
	return nil
}

// wholeWords returns b with the bytes beside it that share its first and last
// word.
func (r *Reader) wholeWords(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) ([]byte, error) {
	skip := off % 2
	whole := make([]byte, (skip+len(b)+1)/2*2)
	ends := [...]struct {
		needed bool
		at     int
	}{{skip == 1, 0}, {(skip+len(b))%2 == 1, len(whole) - 2}}
	for _, end := range ends {
		if end.needed {
			if err := r.readInto(ctx, t, a, off-skip+end.at, whole[end.at:end.at+2]); err != nil {
				return nil, err
			}
		}
	}
	copy(whole[skip:], b)
	return whole, nil
}

func checkRange(off, n int) error {
	if off < 0 || n > maxBank || off > maxBank-n {
		return fmt.Errorf("%w: bytes %d to %d, no bank is longer than %d", drivers.ErrNoArea, off, off+n, maxBank)
	}
	return nil
}

func (r *Reader) read(ctx context.Context, t drivers.Tag, a drivers.Area, word, words int) ([]byte, error) {
	got, err := r.ask(ctx, t, a, access{word: uint16(word), count: uint16(words)})
	return got.data, err
}

// ask fills in what every operation has to say.
func (r *Reader) ask(ctx context.Context, t drivers.Tag, a drivers.Area, op access) (result, error) {
	banks := map[drivers.Area]uint8{drivers.AreaReserved: 0, drivers.AreaEPC: 1, drivers.AreaTID: 2, drivers.AreaUser: 3}
	bank, ok := banks[a]
	if !ok {
		return result{}, fmt.Errorf("%w: %q", drivers.ErrNoArea, a)
	}
	epc, err := hex.DecodeString(t.ID)
	if err != nil || t.Technology != drivers.Gen2 {
		return result{}, fmt.Errorf("%w: %v is no Gen2 tag", drivers.ErrTagGone, t)
	}
	op.bank, op.epc = bank, epc
	return r.portal.access(ctx, op)
}
