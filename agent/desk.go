package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// What a Desk's errors wrap; the CLI's exit codes follow them.
var (
	ErrNotFound     = errors.New("not found")
	ErrAmbiguous    = errors.New("ambiguous")
	ErrUnreachable  = errors.New("gateway cannot be reached")
	ErrNotPermitted = errors.New("not permitted")
	ErrConflict     = errors.New("conflict")
	ErrStopped      = errors.New("gateway is stopped")
	ErrRefused      = errors.New("refused")
)

// desk answers from a replica. A running gateway adds what it alone knows and
// what it alone may do.
type desk struct {
	replica *replica.Replica
	genesis ledger.Genesis
	name    string
	key     ledger.KeyID
	live    *Agent // nil: read from a directory
	done    func() error
}

// OpenDirectory reads the directory of a stopped gateway, or a copy of one: a
// private copy is read and the directory itself is never written.
func OpenDirectory(dir string) (Desk, error) {
	g, err := LoadGenesis(filepath.Join(dir, GenesisName))
	if err != nil {
		return nil, fmt.Errorf("%s is no gateway's directory: %w", dir, err)
	}
	r, err := replica.Open(filepath.Join(dir, DataName), replica.Options{Genesis: g, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("opening the replica of %s: %w", dir, err)
	}
	name := filepath.Base(dir)
	if whole, err := filepath.Abs(dir); err == nil {
		name = filepath.Base(whole)
	}
	d := &desk{replica: r, genesis: g, name: name, done: r.Close}
	if key, err := LoadKey(filepath.Join(dir, BoardKey), nil); err == nil {
		if pub, err := ledger.PublicKeyOf(key); err == nil {
			d.key = pub.ID()
		}
	} else if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) && !errors.Is(err, ErrKeyOpen) && !errors.Is(err, ErrNeedPassphrase) {
		return nil, errors.Join(err, r.Close())
	}
	return d, nil
}

func (d *desk) Close() error {
	if d.done == nil {
		return nil
	}
	return d.done()
}

// names gives the roster's names of keys.
type names struct{ roster *ledger.Roster }

func (n names) of(k ledger.KeyID) string {
	if i, ok := n.roster.Identity(k); ok {
		return i.Name
	}
	return k.Short()
}

func (n names) ofAll(ks []ledger.KeyID) []string {
	var out []string
	for _, k := range ks {
		out = append(out, n.of(k))
	}
	return out
}

func clockWord(c ledger.Clock) string {
	if c == ledger.ClockSynchronised {
		return "synchronised"
	}
	return "not synchronised"
}

// Status is Brief with the hash of the shared views, for which all of them are
// read.
func (d *desk) Status(ctx context.Context) (Status, error) {
	s, err := d.brief()
	if err == nil {
		s.Views, err = d.replica.DumpHash()
	}
	return s, err
}

// brief is the status without what has to be read at length.
func (d *desk) brief() (Status, error) {
	s := Status{Gateway: d.name, Key: d.key, Network: d.genesis.Name, NetworkID: d.genesis.Network().String()}
	err := d.replica.Read(func(v *replica.View) error {
		st, err := v.Stats()
		if err != nil {
			return err
		}
		s.Blocks, s.Transactions = int64(st.Blocks), int64(st.Transactions)
		for standing, n := range st.Items {
			s.Items += int64(n)
			if standing == replica.InConflict {
				s.Conflicts = int64(n)
			}
		}
		s.Waiting = int64(st.Placements[replica.Waiting])
		s.Witnesses = len(v.Roster().Witnesses())
		branches, err := v.Evidence()
		if err != nil {
			return err
		}
		s.Evidence = len(branches)
		heads, err := v.HeadsOf(d.key)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if h.Height >= s.Height {
				s.Height, s.Head = h.Height, h.Hash
			}
		}
		s.Confirmed, err = confirmedBlocks(v)
		return err
	})
	if err != nil {
		return s, err
	}
	if d.live != nil {
		d.live.status(&s)
	}
	return s, nil
}

// confirmedBlocks counts the blocks that a majority of the witnesses has
// covered. Heights are blocks as long as a chain has one branch; with branches
// each block is asked for.
func confirmedBlocks(v *replica.View) (int64, error) {
	authors, err := v.Authors()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, author := range authors {
		n, err := v.ConfirmedCount(author)
		if err != nil {
			return 0, err
		}
		sum += int64(n)
	}
	return sum, nil
}

func (d *desk) Peers(ctx context.Context) ([]Peer, error) {
	var out []Peer
	err := d.replica.Read(func(v *replica.View) error {
		branches, err := v.Evidence()
		if err != nil {
			return err
		}
		for _, i := range v.Roster().Identities() {
			if i.Roles&ledger.RoleGateway == 0 {
				continue
			}
			p := Peer{Name: i.Name, Key: i.ID, Roles: i.Roles.String(), Self: i.ID == d.key, Revoked: i.Revoked}
			for _, as := range v.Roster().Assignments() {
				if as.Gateway == i.ID {
					p.Stations = append(p.Stations, as.Station)
				}
			}
			p.Evidence = slices.ContainsFunc(branches, func(b replica.Branches) bool { return b.Author == i.ID })
			if p.Height, p.Confirmed, err = heights(v, i.ID); err != nil {
				return err
			}
			p.Claimed = p.Height
			if d.live != nil {
				d.live.peer(&p)
			}
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

func heights(v *replica.View, author ledger.KeyID) (held, confirmed uint64, err error) {
	heads, err := v.HeadsOf(author)
	if err != nil {
		return 0, 0, err
	}
	for _, h := range heads {
		held = max(held, h.Height)
	}
	sure, err := v.Confirmed(author)
	for _, h := range sure {
		confirmed = max(confirmed, h.Height)
	}
	return held, confirmed, err
}

// limit is how many rows a query asks for.
func limit(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, 1000)
}

var standings = map[string][]replica.Standing{
	"expected": {replica.Expected}, "in work": {replica.InWork}, "in-work": {replica.InWork},
	"nonconforming": {replica.Nonconforming}, "finished": {replica.Finished}, "scrapped": {replica.Scrapped},
	"consumed": {replica.Consumed}, "in conflict": {replica.InConflict}, "in-conflict": {replica.InConflict},
	"held": {replica.Nonconforming, replica.InConflict},
}

func (d *desk) Items(ctx context.Context, q ItemQuery) ([]ItemLine, error) {
	var after ledger.ItemID
	if q.After != "" {
		var err error
		if after, err = ledger.ParseHash(q.After); err != nil {
			return nil, fmt.Errorf("%w: cursor: %w", ErrRefused, err)
		}
	}
	var out []ItemLine
	err := d.replica.Read(func(v *replica.View) error {
		add := func(it ledger.Item, err error) error {
			if err != nil {
				return err
			}
			line, err := itemLine(v, it)
			out = append(out, line)
			return err
		}
		if q.Phase == "" {
			for it, err := range v.Items(after, limit(q.Limit)) {
				if err := add(it, err); err != nil {
					return err
				}
			}
			return nil
		}
		kinds, ok := standings[q.Phase]
		if !ok {
			return fmt.Errorf("%w: phase %q is none of expected, in-work, nonconforming, finished, scrapped, consumed, in-conflict, held", ErrRefused, q.Phase)
		}
		for _, kind := range kinds {
			for it, err := range v.ItemsIn(kind, after, limit(q.Limit)) {
				if err := add(it, err); err != nil {
					return err
				}
			}
		}
		// By id whatever their kind: the cursor is one for all of them.
		slices.SortFunc(out, func(a, b ItemLine) int { return bytes.Compare(a.ID[:], b.ID[:]) })
		out = out[:min(len(out), limit(q.Limit))]
		return nil
	})
	return out, err
}

// stateWords is the state of an item in the words of the glossary, and where it
// belongs.
func stateWords(it ledger.Item, n names) (string, []string) {
	switch {
	case it.InConflict():
		return "in conflict", nil
	case len(it.HeadIDs) == 0:
		return "uncounted", nil
	}
	s := it.State()
	switch s.Phase {
	case ledger.Expected:
		var where []string
		for _, o := range s.Options {
			if !slices.Contains(where, o.Place) {
				where = append(where, o.Place)
			}
		}
		return s.Phase.String(), where
	case ledger.InWork:
		return fmt.Sprintf("in work (%s)", s.Task), []string{s.Station}
	}
	return s.Phase.String(), nil
}

func itemLine(v *replica.View, it ledger.Item) (ItemLine, error) {
	line := ItemLine{ID: it.ID, Label: it.Label, Product: it.Product, Tags: it.Tags}
	line.State, line.Where = stateWords(it, names{v.Roster()})
	if len(it.HeadIDs) > 0 {
		o, ok, err := v.Order(it.OrderOf(it.HeadIDs[0]))
		if err != nil {
			return line, err
		}
		if ok {
			line.Order = o.Order.ID
		}
	}
	return line, nil
}

// find returns the item with a printed id, a tag or an id that begins so.
func find(v *replica.View, id string) (ledger.Item, error) {
	found, err := v.Label(id)
	if err == nil && len(found) == 0 {
		tag := id
		if t, err := drivers.ParseTag(id, ""); err == nil { // as people write it
			tag = t.ID
		}
		var closed []ledger.Item
		found, closed, err = v.Tag(tag)
		if len(found) == 0 && len(closed) > 0 {
			found = closed[len(closed)-1:]
		}
	}
	if err == nil && len(found) == 0 && len(id) >= 6 {
		found, err = v.ItemsBeginning(strings.ToLower(id), 2)
	}
	switch {
	case err != nil:
		return ledger.Item{}, err
	case len(found) == 0:
		return ledger.Item{}, fmt.Errorf("item %q: %w: no printed id, tag or id begins so", id, ErrNotFound)
	case len(found) > 1:
		return ledger.Item{}, fmt.Errorf("item %q: %w: it means %s and %s; give the full id", id, ErrAmbiguous, found[0].ID, found[1].ID)
	}
	return found[0], nil
}

func (d *desk) Rule(ctx context.Context, id string) (Heads, error) {
	var h Heads
	err := d.replica.Read(func(v *replica.View) error {
		it, err := find(v, id)
		if err != nil {
			return err
		}
		h = Heads{Item: it.ID, Label: it.Label, Heads: it.HeadIDs}
		h.State, _ = stateWords(it, names{v.Roster()})
		return nil
	})
	return h, err
}

func (d *desk) stopped(what string) error {
	return fmt.Errorf("%s: %w: start travelerd, or name its control socket", what, ErrStopped)
}

func (d *desk) Submit(ctx context.Context, raw []byte) (Receipt, error) {
	if d.live == nil {
		return Receipt{}, d.stopped("submitting a transaction")
	}
	return d.live.submit(ctx, raw)
}

func (d *desk) Withdraw(ctx context.Context, item, reason string) (Receipt, error) {
	if d.live == nil {
		return Receipt{}, d.stopped("withdrawing")
	}
	return d.live.withdraw(ctx, item, reason)
}

func (d *desk) Operate(ctx context.Context, w OperatorWord) error {
	if d.live == nil {
		return d.stopped("operating the station")
	}
	return d.live.operate(ctx, w)
}

func (d *desk) Enrol(ctx context.Context, raw []byte) error {
	if d.live == nil {
		return d.stopped("enrolling")
	}
	return d.live.enrol(ctx, raw)
}
