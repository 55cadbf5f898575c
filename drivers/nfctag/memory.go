package nfctag

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"traveler.example/drivers"
)

// The most that one job reads or writes, so that looks at the field go on in
// between: about 60 ms of reading and 150 ms of writing. Multiples of a block.
const (
	readChunk  = 240
	writeChunk = 64
)

// Memory makes a reader of ISO/IEC 14443 A tags a [drivers.Memory]. Its Layout,
// ReadMemory and WriteMemory may be called from any goroutine; they wait until
// the goroutine that owns the chip takes the job from Jobs and does it.
type Memory struct {
	reader string
	keys   []Key
	jobs   chan *Job

	mu   sync.Mutex
	down chan struct{} // closed while nobody takes jobs

	known []knownTag // of the goroutine that does the jobs; the newest last
}

// knownTag spares identifying a tag anew for each job.
type knownTag struct {
	id  drivers.Tag
	tag *Tag
}

// knownLimit is how many tags are remembered: what fits into a field.
const knownLimit = 4

// NewMemory returns the memory of a reader that is not open yet. Keys are tried
// on MIFARE Classic besides the public ones.
func NewMemory(reader string, keys []Key) *Memory {
	down := make(chan struct{})
	close(down)
	return &Memory{reader: reader, keys: slices.Clone(keys), jobs: make(chan *Job), down: down}
}

// Open says that jobs are taken from now on, until end is called: then those that wait,
// and those that come, fail with drivers.ErrDown. Not for use by two at a time.
func (m *Memory) Open() (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	down := make(chan struct{})
	m.down, m.known = down, nil
	return sync.OnceFunc(func() { close(down) })
}

// Jobs is where jobs come from, for the goroutine that owns the chip. It has to
// call Do of each job that it takes.
func (m *Memory) Jobs() <-chan *Job { return m.jobs }

// Layout implements [drivers.Memory].
func (m *Memory) Layout(ctx context.Context, t drivers.Tag) (l drivers.Layout, err error) {
	err = m.ask(ctx, t, drivers.AreaUser, func(ctx context.Context, tag *Tag) error {
		l, err = tag.Layout(ctx)
		return err
	})
	return l, err
}

// ReadMemory implements [drivers.Memory].
func (m *Memory) ReadMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	return m.inChunks(ctx, t, a, off, len(b), readChunk, func(ctx context.Context, tag *Tag, from, to int) error {
		if from == 0 {
			if err := tag.fits(ctx, off, len(b)); err != nil {
				return err
			}
		}
		return tag.Read(ctx, off+from, b[from:to])
	})
}

// WriteMemory implements [drivers.Memory]. Nothing is written if a part of the
// place is known to be locked.
func (m *Memory) WriteMemory(ctx context.Context, t drivers.Tag, a drivers.Area, off int, b []byte) error {
	return m.inChunks(ctx, t, a, off, len(b), writeChunk, func(ctx context.Context, tag *Tag, from, to int) error {
		if from == 0 {
			if err := tag.Writable(ctx, off, len(b)); err != nil {
				return err
			}
		}
		return tag.Write(ctx, off+from, b[from:to])
	})
}

// Format lays a blank tag out for NDEF, as [Tag.Format] does.
func (m *Memory) Format(ctx context.Context, t drivers.Tag) error {
	return m.ask(ctx, t, drivers.AreaUser, func(ctx context.Context, tag *Tag) error { return tag.Format(ctx) })
}

// inChunks calls do for the parts of n bytes, each in a job of its own. Parts
// end where chunks of the area do, so that no block is written twice.
func (m *Memory) inChunks(
	ctx context.Context, t drivers.Tag, a drivers.Area, off, n, chunk int,
	do func(ctx context.Context, tag *Tag, from, to int) error,
) error {
	for from := 0; ; {
		to := min(n, from+chunk-max(0, off+from)%chunk)
		if err := m.ask(ctx, t, a, func(ctx context.Context, tag *Tag) error { return do(ctx, tag, from, to) }); err != nil {
			return err
		}
		if from = to; from >= n {
			return nil
		}
	}
}

func (m *Memory) ask(ctx context.Context, t drivers.Tag, a drivers.Area, do func(context.Context, *Tag) error) error {
	if a != drivers.AreaUser || t.Technology != drivers.ISO14443A {
		return fmt.Errorf("%s: tag %s: %w: area %q of %q, only %q of %q is known here",
			m.reader, t, drivers.ErrNoArea, a, t.Technology, drivers.AreaUser, drivers.ISO14443A)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	down := m.down
	m.mu.Unlock()
	select {
	case <-down:
		return fmt.Errorf("%s: %w", m.reader, drivers.ErrDown)
	default:
	}
	j := &Job{memory: m, ctx: ctx, tag: t, do: do, done: make(chan error, 1)}
	select {
	case m.jobs <- j:
	case <-down:
		return fmt.Errorf("%s: %w", m.reader, drivers.ErrDown)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := <-j.done; err != nil {
		return fmt.Errorf("%s: tag %s: %w", m.reader, t, err)
	}
	return nil
}

// Job is one request for a tag's memory.
type Job struct {
	memory *Memory
	ctx    context.Context // of who asks
	tag    drivers.Tag
	do     func(context.Context, *Tag) error
	done   chan error
}

// Activator activates the tag with an identifier and no other. It wraps
// drivers.ErrTagGone if the tag is not in the field.
type Activator func(ctx context.Context, uid []byte) (Chip, Activation, error)

// Do does the job and answers who asked. The error that it returns is for the
// driver: trouble of the chip, which is to be met as such; nil if there was
// none, even if the tag would not.
func (j *Job) Do(ctx context.Context, activate Activator) (trouble error) {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(j.ctx, cancel)()
	err := j.serve(both, activate)
	switch {
	case err == nil, ofTag(err):
		j.done <- err
		return nil
	case j.ctx.Err() != nil && errors.Is(err, context.Canceled):
		j.done <- j.ctx.Err()
		return nil
	case ctx.Err() != nil:
		j.done <- drivers.ErrDown
		return ctx.Err()
	case errors.Is(err, drivers.ErrSilent), errors.Is(err, drivers.ErrProtocol):
		j.done <- err
	default:
		j.done <- fmt.Errorf("%w: %w", drivers.ErrDown, err)
	}
	return err
}

// ofTag reports whether an error speaks of the tag and not of the chip.
func ofTag(err error) bool {
	for _, of := range [...]error{drivers.ErrTagGone, drivers.ErrNoArea, drivers.ErrLocked, drivers.ErrUnverified} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

func (j *Job) serve(ctx context.Context, activate Activator) error {
	uid, err := hex.DecodeString(j.tag.ID)
	if err != nil || len(uid) != 4 && len(uid) != 7 && len(uid) != 10 {
		return fmt.Errorf("%w: no tag has the identifier %q", drivers.ErrTagGone, j.tag.ID)
	}
	for try := 1; ; try++ {
		chip, act, err := activate(ctx, uid)
		if err == nil {
			err = j.do(ctx, j.memory.recall(j.tag, chip, act))
			if errors.Is(err, ErrUnanswered) && !ofTag(err) {
				err = fmt.Errorf("%w: %w", drivers.ErrTagGone, err) // it is there and hardly hears
			}
			return err
		}
		if !errors.Is(err, drivers.ErrTagGone) || try >= selections {
			return err
		}
	}
}

// recall returns what is known of a tag, now activated by chip.
func (m *Memory) recall(id drivers.Tag, chip Chip, act Activation) *Tag {
	i := slices.IndexFunc(m.known, func(k knownTag) bool { return k.id == id && k.tag.act == act })
	if i >= 0 {
		m.known[i].tag.attach(chip)
		return m.known[i].tag
	}
	m.known = slices.DeleteFunc(m.known, func(k knownTag) bool { return k.id == id })
	if len(m.known) >= knownLimit {
		m.known = slices.Delete(m.known, 0, 1)
	}
	tag := New(chip, act, m.keys)
	m.known = append(m.known, knownTag{id, tag})
	return tag
}
