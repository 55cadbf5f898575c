package agent

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"traveler.example/agent/station"
	"traveler.example/drivers"
	"traveler.example/drivers/epc"
	"traveler.example/drivers/ndef"
	profiles "traveler.example/firmware-profiles"
	"traveler.example/ledger"
)

// nameLimit is how long a tag may take to say what counts of it. The operator
// stands before a dark light.
const nameLimit = time.Second

// Reasons for which a tag has no name that counts at its reader. It is then none
// at all: another identity of the same tag may be that of another item.
var (
	errNotEPC   = errors.New("it is no tag with an EPC")
	errNotCode  = errors.New("it is a tag, and no printed code")
	errNoURI    = errors.New("no URI is written on it")
	errNoReader = errors.New("this reader reads nothing but identifiers")
)

// arrives takes in a tag that came into the field, or lay there. What does not
// count by what its reader reports is known by its name from here on.
func (l *stationLoop) arrives(ctx context.Context, e drivers.Event) {
	x := l.laid(e.Reader, e.Tag)
	identity := l.cfg.Identities[e.Reader]
	if _, badge := l.cfg.Machine.Badges[e.Tag.ID]; badge {
		identity = profiles.IdentityUID
	}
	if identity != profiles.IdentityNDEFURI {
		name, err := nameOf(identity, e.Tag)
		l.named(ctx, e, x, name, err)
		return
	}
	if x != nil {
		x.came = &e
	}
	var name string
	l.onTag(ctx, e.Reader, x, nameLimit, func(ctx context.Context, tag drivers.Tag) (err error) {
		name, err = l.uriOf(ctx, e.Reader, tag)
		return err
	}, func(err error) {
		l.hand(ctx, func() { l.named(ctx, e, x, name, err) })
	})
}

// nameAgain asks for the names that were on their way when the profile changed.
func (l *stationLoop) nameAgain(ctx context.Context) {
	for _, x := range maps.Clone(l.pad.lying) {
		if x.came != nil {
			l.arrives(ctx, *x.came)
		}
	}
}

// nameOf is the id by which the ledger knows the item of a tag, where that takes no
// reading.
func nameOf(identity profiles.Identity, t drivers.Tag) (string, error) {
	switch identity {
	case profiles.IdentityEPC:
		b, err := hex.DecodeString(t.ID)
		if err != nil || t.Technology != drivers.Gen2 {
			return "", errNotEPC
		}
		tag, err := epc.Decode(b)
		if err != nil {
			return "", fmt.Errorf("its EPC is not to be read: %w", err)
		}
		return checkedName(tag.Identity().String())
	case profiles.IdentityCode:
		if t.Technology != drivers.Code {
			return "", errNotCode
		}
	}
	return t.ID, nil
}

// checkedName refuses what the ledger cannot take for an id.
func checkedName(name string) (string, error) {
	if err := ledger.CheckID(name); err != nil {
		return "", fmt.Errorf("what is written on it cannot name an item: %w", err)
	}
	return name, nil
}

// uriOf reads the first URI on a tag.
func (l *stationLoop) uriOf(ctx context.Context, reader string, tag drivers.Tag) (string, error) {
	for _, r := range l.parts.Readers {
		m, can := r.(drivers.Memory)
		if !can || r.Info().Name != reader {
			continue
		}
		records, err := ndef.ReadMessage(ctx, m, tag)
		if err != nil {
			return "", err
		}
		for _, r := range records {
			if uri, err := r.URI(); err == nil {
				return checkedName(uri)
			}
			if poster, err := r.Poster(); err == nil {
				return checkedName(poster.URI)
			}
		}
		return "", errNoURI
	}
	return "", errNoReader
}

// named hands a tag over to the station under the name that counts.
func (l *stationLoop) named(ctx context.Context, e drivers.Event, x *lying, name string, err error) {
	if x != nil {
		x.came = nil
	}
	if err != nil {
		l.unnamed(ctx, e, err)
		return
	}
	if x != nil {
		if x.gone.Err() != nil { // the tag, or its reader, went while its name was on its way
			l.unnamed(ctx, e, errLifted)
			return
		}
		x.name = name
	}
	if e.Kind == drivers.Present {
		l.step(ctx, station.Present{Reader: e.Reader, Tag: name})
	} else {
		l.step(ctx, station.Arrived{Reader: e.Reader, Tag: name})
		l.several(ctx, e.Reader)
	}
}

// unnamed tells of a tag that has no name at its reader. Of one that lay there
// nothing was asked.
func (l *stationLoop) unnamed(ctx context.Context, e drivers.Event, err error) {
	if e.Kind == drivers.Present {
		l.step(ctx, station.Present{Reader: e.Reader, Tag: e.Tag.ID})
		return
	}
	why, remedy := nameWords(err)
	l.step(ctx, station.Unnamed{Reader: e.Reader, Tag: e.Tag.ID, Why: why, Remedy: remedy})
	if errors.Is(err, errLifted) { // the light is for nothing that lies there
		l.step(ctx, station.Departed{Reader: e.Reader, Tag: e.Tag.ID})
	}
}

// departs takes in a tag that left the field, under the name under which it came.
func (l *stationLoop) departs(ctx context.Context, e drivers.Event) {
	name := l.nameHere(e)
	l.lifted(e.Reader, e.Tag.ID)
	l.step(ctx, station.Departed{Reader: e.Reader, Tag: name})
}

// nameHere is what the station calls the tag of an event.
func (l *stationLoop) nameHere(e drivers.Event) string {
	name := e.Tag.ID
	if x := l.pad.lying[spot{e.Reader, e.Tag.ID}]; x != nil && x.name != "" {
		name = x.name
	} else if n, err := nameOf(l.cfg.Identities[e.Reader], e.Tag); x == nil && err == nil {
		name = n
	}
	return name
}

// hand has the station's goroutine call f.
func (l *stationLoop) hand(ctx context.Context, f func()) {
	select {
	case l.later <- f:
	case <-ctx.Done():
	}
}

// nameWords says why a tag has no name, and what to do.
func nameWords(err error) (why, remedy string) {
	const take = "Put the item aside and call maintenance: "
	switch {
	case errors.Is(err, errNotEPC):
		return errNotEPC.Error(), take + "at this reader items are known by the EPC of their UHF tags."
	case errors.Is(err, errNotCode):
		return errNotCode.Error(), "Scan the code that is printed on the item."
	case errors.Is(err, errNoURI):
		return errNoURI.Error(), take + "its tag wants a URI, or another tag."
	case errors.Is(err, errNoReader):
		return errNoReader.Error(), "Call maintenance: the profile asks for what the reader cannot do."
	case errors.Is(err, epc.ErrUnknown):
		return err.Error(), take + "its tag wants an EPC of GS1, or the reader identity = \"uid\"."
	case errors.Is(err, ndef.ErrUnformatted), errors.Is(err, ndef.ErrMalformed), errors.Is(err, drivers.ErrNoArea):
		return "its memory is not laid out for NDEF", take + "its tag wants a URI, or another tag."
	case errors.Is(err, drivers.ErrLocked):
		return "its memory is locked", take + "its tag cannot be read without a key."
	case errors.Is(err, errLifted), errors.Is(err, drivers.ErrTagGone), errors.Is(err, errTooSlow), errors.Is(err, errNoteBusy):
		why, _ = noteWords(err)
		return why, "Scan it again, in the middle of the reader, and leave it there until the light has changed."
	case errors.Is(err, drivers.ErrDown), errors.Is(err, drivers.ErrSilent):
		return "the reader does not answer", "Check the reader's cable."
	}
	return err.Error(), "Scan it again; if that does not help, put the item aside and call maintenance."
}
