package mfrc522

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"traveler.example/drivers"
)

const (
	// crowd is how many tags are told apart at once; the field feeds no more.
	crowd = 16
	// attempts is how often a tag that answers damaged is asked again in one look.
	attempts = 3
	// unreadableLimit is how long something may answer and not be read before it
	// is told: less, and every tag on its way in or out would be.
	unreadableLimit = time.Second
)

// field is what is known of the tags around.
type field struct {
	known   [crowd]sighting // halted; the first n
	n       int
	tags    [crowd]drivers.Tag
	at      time.Time // of the last byte of the last of them
	confirm time.Time // when the known ones are to be looked at next
	dubious time.Time // since when something answers that cannot be read
}

// sighting is a tag that was found.
type sighting struct {
	identifier
	tag  drivers.Tag
	seen bool // in the look under way
}

// look looks at the field once: whether somebody came and, when it is due,
// whether the known tags are still there. What one look misses is looked for
// again with the field restarted, so that no tag counts as gone since it was
// left in a state in which it does not answer.
func (s *session) look(ctx context.Context) error {
	f := &s.field
	now := time.Now()
	all := f.n == 0 || !now.Before(f.confirm)
	if s.presence.Missing() {
		all = true
		if err := s.restartTags(ctx); err != nil {
			return err
		}
	}
	for i := range f.known[:f.n] {
		f.known[i].seen = false
	}
	came, err := s.discover(ctx)
	if err != nil || !all && !came {
		return err
	}
	if err := s.confirmKnown(ctx); err != nil {
		return err
	}
	f.confirm = now.Add(confirmation)
	tags := f.tags[:0]
	for i := range f.known[:f.n] {
		tags = append(tags, f.known[i].tag)
	}
	if len(tags) == 0 {
		f.at = time.Now()
	}
	s.Events = s.presence.Scan(s.Events, f.at, tags...)
	return nil
}

// restartTags takes the field away for a moment: every tag begins anew.
func (s *session) restartTags(ctx context.Context) error {
	if err := s.radiate(ctx, false); err != nil {
		return err
	}
	return s.radiate(ctx, true)
}

// discover finds the tags that came since the last look, one after the other:
// each is halted, and those that are left asked again. It reports whether there
// were any.
func (s *session) discover(ctx context.Context) (came bool, err error) {
	var trouble error
	for failed := 0; failed < attempts && s.field.n < crowd; {
		// Halted tags that are not known can be there only if none is.
		code := byte(cmdREQA)
		if s.field.n == 0 {
			code = cmdWUPA
		}
		there, _, err := s.request(ctx, code)
		switch {
		case err != nil:
			return came, err
		case !there && trouble == nil:
			return came, nil
		case !there: // a tag that was lost on the way here hears the second request only
			failed++
			continue
		}
		came = true
		err = s.admit(ctx)
		if err != nil && !onAir(err) {
			return came, err
		}
		if err != nil {
			trouble, failed = err, failed+1
		}
	}
	s.doubt(trouble)
	return came, nil
}

// admit selects a tag that answered a request, tells of it if it is new, and
// halts it.
func (s *session) admit(ctx context.Context) error {
	id, err := s.identify(ctx)
	if err != nil {
		return err
	}
	refused := s.recognise(&id)
	if s.live {
		if err := s.Send(ctx, s.out); err != nil {
			return err
		}
	}
	if err := s.halt(ctx); err != nil {
		return err
	}
	return refused
}

// recognise takes a tag that was just selected down as known.
func (s *session) recognise(id *identifier) error {
	f := &s.field
	f.at, f.dubious = s.at, time.Time{}
	for i := range f.known[:f.n] {
		if bytes.Equal(f.known[i].uid(), id.uid()) {
			f.known[i].seen = true // it was away for less than a look
			return nil
		}
	}
	tag, err := drivers.NewTag(id.uid(), drivers.ISO14443A)
	if err != nil {
		s.Fault(time.Now(), err)
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	f.known[f.n] = sighting{identifier: *id, tag: tag, seen: true}
	f.n++
	s.Events = s.presence.See(s.Events, f.at, tag)
	return nil
}

// doubt tells of something that goes on answering and cannot be read.
func (s *session) doubt(trouble error) {
	f := &s.field
	switch {
	case trouble == nil:
		f.dubious = time.Time{}
	case f.dubious.IsZero():
		f.dubious = time.Now()
	case time.Since(f.dubious) >= unreadableLimit:
		s.Fault(time.Now(), fmt.Errorf("something answers but cannot be read, bring the tag nearer or take others away: %w", trouble))
	}
}

// confirmKnown looks whether the known tags are still there, and drops those
// that are not.
func (s *session) confirmKnown(ctx context.Context) error {
	f := &s.field
	kept := 0
	for i := range f.known[:f.n] {
		k := &f.known[i]
		for range 2 {
			if k.seen {
				break
			}
			if err := s.confirm(ctx, k); err != nil {
				return err
			}
		}
		if k.seen {
			f.known[kept] = *k
			kept++
		}
	}
	clear(f.known[kept:f.n])
	f.n = kept
	return nil
}

func (s *session) confirm(ctx context.Context, k *sighting) error {
	_, _, err := s.activate(ctx, k.uid())
	switch {
	case err == nil:
		k.seen, s.field.at = true, s.at
		return s.halt(ctx)
	case onAir(err):
		return nil
	}
	return err
}
