package m100

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
	// maxWords is how much memory one command reads or writes (protocol V2.1, 4.8).
	maxWords = 32
	// bankLimit is the size in words beyond which no bank is looked for: 64 KiB,
	// eight times the largest user bank on the market.
	bankLimit = 1 << 15
	// readLimit and writeMemoryLimit are for 32 words in the air and on the line.
	// Tags take up to 20 ms for each word that they write (EPC Gen2, 6.3.2.12.3.3).
	readLimit        = 400 * time.Millisecond
	writeMemoryLimit = 1500 * time.Millisecond
	// accessAttempts is how often a tag that does not answer is asked: one in a
	// dozen accesses fails on a tag that lies still.
	accessAttempts = 4
	// epcStart is where the EPC begins in its bank, in bits: behind CRC and PC.
	epcStart = 0x20
	// maxMask is the longest mask in bytes whose length in bits fits one byte. A
	// longer EPC is selected by its beginning; who answers is checked whole.
	maxMask = 31
)

// banks are the numbers of the areas (EPC Gen2, 6.3.2.1).
var banks = map[drivers.Area]byte{
	drivers.AreaReserved: 0, drivers.AreaEPC: 1, drivers.AreaTID: 2, drivers.AreaUser: 3,
}

// Layout implements [drivers.Memory]. Sizes are found out by asking the tag, not
// from its type: makers reuse numbers, and tables contradict each other.
func (r *Reader) Layout(ctx context.Context, t drivers.Tag) (drivers.Layout, error) {
	var layout drivers.Layout
	err := r.between(ctx, func(ctx context.Context, s *session) error {
		a, err := s.access(ctx, t)
		if err == nil {
			layout, err = a.layout(ctx)
		}
		return err
	})
	if err != nil {
		return drivers.Layout{}, fmt.Errorf("%s: layout of tag %s: %w", r.cfg.Name, t, err)
	}
	return layout, nil
}

// ReadMemory implements [drivers.Memory].
func (r *Reader) ReadMemory(ctx context.Context, t drivers.Tag, area drivers.Area, off int, b []byte) error {
	got := make([]byte, len(b)) // b is the caller's alone until the end
	err := r.between(ctx, func(ctx context.Context, s *session) error {
		a, err := s.access(ctx, t)
		if err != nil {
			return err
		}
		return a.read(ctx, area, off, got)
	})
	if err != nil {
		return fmt.Errorf("%s: read %d bytes at %d of %s of tag %s: %w", r.cfg.Name, len(b), off, area, t, err)
	}
	copy(b, got)
	return nil
}

// WriteMemory implements [drivers.Memory]. Memory has words of two bytes, of
// which each is written whole or not at all. What changes the EPC makes another
// tag of it: from then on it is read under its new identifier.
func (r *Reader) WriteMemory(ctx context.Context, t drivers.Tag, area drivers.Area, off int, b []byte) error {
	data := bytes.Clone(b)
	err := r.between(ctx, func(ctx context.Context, s *session) error {
		a, err := s.access(ctx, t)
		if err != nil {
			return err
		}
		return a.write(ctx, area, off, data)
	})
	if err != nil {
		return fmt.Errorf("%s: write %d bytes at %d of %s of tag %s: %w", r.cfg.Name, len(b), off, area, t, err)
	}
	return nil
}

// access reads and writes the memory of one tag.
type access struct {
	*session
	epc []byte
}

func (s *session) access(ctx context.Context, t drivers.Tag) (*access, error) {
	epc, err := hex.DecodeString(t.ID)
	if err != nil || t.Technology != drivers.Gen2 {
		return nil, fmt.Errorf("%w: %s is no tag of this reader, its technology is %q", drivers.ErrTagGone, t, t.Technology)
	}
	return &access{s, epc}, ctx.Err()
}

// span is the words of a bank that hold some bytes.
type span struct {
	bank        byte
	first, size int // in words
	skip        int // bytes of the first word before the first byte
}

func spanOf(area drivers.Area, off, n int) (span, error) {
	bank, known := banks[area]
	if !known {
		return span{}, fmt.Errorf("%w: Gen2 tags have no area %q, they have epc, tid, user and reserved", drivers.ErrNoArea, area)
	}
	if off < 0 || n < 0 || off+n > 2*bankLimit {
		return span{}, fmt.Errorf("%w: no tag has bytes %d to %d", drivers.ErrNoArea, off, off+n)
	}
	first := off / 2
	return span{bank: bank, first: first, size: (off+n+1)/2 - first, skip: off % 2}, nil
}

func (a *access) read(ctx context.Context, area drivers.Area, off int, b []byte) error {
	s, err := spanOf(area, off, len(b))
	if err != nil || len(b) == 0 {
		return err
	}
	words, err := a.readWords(ctx, s.bank, s.first, s.size)
	if err != nil {
		return err
	}
	copy(b, words[s.skip:])
	return nil
}

func (a *access) write(ctx context.Context, area drivers.Area, off int, b []byte) error {
	s, err := spanOf(area, off, len(b))
	if err != nil || len(b) == 0 {
		return err
	}
	words, err := a.surroundings(ctx, s, len(b))
	if err != nil {
		return err
	}
	copy(words[s.skip:], b)
	for at := 0; at < s.size; at += maxWords {
		n := min(maxWords, s.size-at)
		if err := a.writeWords(ctx, s.bank, s.first+at, words[2*at:2*(at+n)]); err != nil {
			return err
		}
	}
	kept, err := a.readWords(ctx, s.bank, s.first, s.size)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !bytes.Equal(kept, words) {
		return fmt.Errorf("%w: wrote % X, read back % X", drivers.ErrUnverified, words, kept)
	}
	return nil
}

// surroundings returns the words of a span, with what shares one with the bytes
// to be written.
func (a *access) surroundings(ctx context.Context, s span, n int) ([]byte, error) {
	words := make([]byte, 2*s.size)
	for _, edge := range [...]struct {
		word  int
		whole bool
	}{{0, s.skip == 0}, {s.size - 1, (s.skip+n)%2 == 0}} {
		if edge.whole {
			continue
		}
		old, err := a.readWords(ctx, s.bank, s.first+edge.word, 1)
		if err != nil {
			return nil, fmt.Errorf("read what shares a word: %w", err)
		}
		copy(words[2*edge.word:], old)
	}
	return words, nil
}

func (a *access) readWords(ctx context.Context, bank byte, first, size int) ([]byte, error) {
	words := make([]byte, 0, 2*size)
	for at := 0; at < size; at += maxWords {
		n := min(maxWords, size-at)
		data, err := a.command(ctx, readLimit, cmdRead, a.params(bank, first+at, n, nil))
		if err != nil {
			return nil, inArea(bank, err)
		}
		if len(data) != 2*n {
			return nil, fmt.Errorf("%w: %d bytes read, %d were asked for", drivers.ErrProtocol, len(data), 2*n)
		}
		words = append(words, data...)
	}
	return words, nil
}

// writeWords writes at most 32 words. Where they change the EPC, the tag is
// known by the new one from here on.
func (a *access) writeWords(ctx context.Context, bank byte, first int, words []byte) error {
	renamed, err := a.renamed(ctx, bank, first, words)
	if err != nil {
		return err
	}
	data, err := a.command(ctx, writeMemoryLimit, cmdWrite, a.params(bank, first, len(words)/2, words))
	if err != nil {
		return inArea(bank, err)
	}
	if len(data) != 1 || data[0] != 0x00 {
		return fmt.Errorf("%w: write answered % X, 00 is expected", drivers.ErrProtocol, data)
	}
	a.epc = renamed
	return nil
}

// renamed returns the EPC by which the tag answers once words are written.
func (a *access) renamed(ctx context.Context, bank byte, first int, words []byte) ([]byte, error) {
	if bank != banks[drivers.AreaEPC] {
		return a.epc, nil
	}
	head, err := a.readWords(ctx, bank, 1, 1)
	if err != nil {
		return nil, fmt.Errorf("read PC: %w", err)
	}
	whole := make([]byte, 4+drivers.MaxTagID) // CRC, PC and the longest EPC
	copy(whole[2:], head)
	copy(whole[4:], a.epc)
	if 2*first < len(whole) {
		copy(whole[2*first:], words)
	}
	size := epcLength(uint16(whole[2])<<8 | uint16(whole[3]))
	if size <= len(a.epc) || 2*first <= 4+len(a.epc) && 2*first+len(words) >= 4+size {
		return bytes.Clone(whole[4 : 4+size]), nil
	}
	return nil, fmt.Errorf("%w: an EPC of %d bytes is announced, and not all of them are written with it", drivers.ErrUnverified, size)
}

// params are the parameters of read and write: access password, bank, first
// word, number of words, data.
func (a *access) params(bank byte, first, size int, data []byte) []byte {
	key := a.cfg.Access
	return append([]byte{
		byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key), bank,
		byte(first >> 8), byte(first), byte(size >> 8), byte(size),
	}, data...)
}

// command selects the tag, sends a command to it, and returns what the answer
// carries behind PC and EPC.
func (a *access) command(ctx context.Context, limit time.Duration, cmd byte, params []byte) ([]byte, error) {
	var err error
	for range accessAttempts {
		if err = a.choose(ctx); err != nil {
			return nil, err
		}
		var answer []byte
		if answer, err = a.exchange(ctx, limit, cmd, params...); err == nil {
			var data []byte
			if data, err = a.own(answer); err == nil {
				return data, nil
			}
		}
		var f Failure
		if !errors.Is(err, drivers.ErrTagGone) && !(errors.As(err, &f) && f.passing()) {
			return nil, err
		}
	}
	return nil, err
}

// choose selects the tag by its EPC, so that of several the right one answers.
// Modules take that for an order to select before polling too, until told not
// to.
func (a *access) choose(ctx context.Context) error {
	mask := a.epc[:min(len(a.epc), maxMask)]
	params := append([]byte{
		0x01, // target S0, action: matching tags are selected, the others not; EPC bank
		0, 0, 0, epcStart, byte(8 * len(mask)),
		0x00, // no truncation
	}, mask...)
	if err := a.set(ctx, cmdSelect, params...); err != nil {
		return fmt.Errorf("select: %w", err)
	}
	if err := a.set(ctx, cmdSelectMode, selectAccess); err != nil {
		return fmt.Errorf("select mode: %w", err)
	}
	return nil
}

// own makes sure that the tag that answered is the right one: length of PC and
// EPC, PC, EPC, and what is returned.
func (a *access) own(answer []byte) ([]byte, error) {
	if len(answer) < 3 || int(answer[0]) < 2 || len(answer) < 1+int(answer[0]) {
		return nil, fmt.Errorf("%w: answer % X has no PC and EPC", drivers.ErrProtocol, answer)
	}
	n := 1 + int(answer[0])
	if epc := answer[3:n]; !bytes.Equal(epc, a.epc) {
		return nil, fmt.Errorf("%w: tag %X answered in its place", drivers.ErrTagGone, epc)
	}
	return answer[n:], nil
}

// passing reports whether it is worth asking again.
func (f Failure) passing() bool {
	return f == FailureRead || f == FailureWrite || f == FailureChannel || f.tag() == tagLowPower
}

// inArea says what a failure means for one who reads or writes a bank.
func inArea(bank byte, err error) error {
	var f Failure
	if !errors.As(err, &f) {
		return err
	}
	meaning := drivers.ErrProtocol
	switch tag := f.tag(); {
	case f == FailureRead, f == FailureWrite, f == FailureChannel:
		meaning = drivers.ErrTagGone
	case f == FailureAccess, tag == tagLocked:
		meaning = drivers.ErrLocked
	case tag == tagOverrun, tag == tagNonSpecific && bank == banks[drivers.AreaUser]:
		meaning = drivers.ErrNoArea // tags that say no reason have none but that for a bank that is missing
	case tag == tagNonSpecific:
		meaning = drivers.ErrLocked
	case tag >= 0 && f&0xF0 == 0xB0:
		meaning = drivers.ErrUnverified
	case tag >= 0:
		meaning = drivers.ErrTagGone
	}
	return fmt.Errorf("%w: %w", meaning, f)
}
