package plant

import (
	"fmt"
	"slices"
	"strings"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// modelOf gives the model all that a replica holds, as bytes, but for the first
// statements that it is to forget.
func modelOf(g ledger.Genesis, r *replica.Replica, forgets int) (*Model, error) {
	m, err := NewModel(g.Raw())
	if err != nil {
		return nil, err
	}
	for _, s := range r.Register().Statements()[forgets:] {
		if err := m.Add(s.Raw()); err != nil {
			return nil, err
		}
	}
	err = r.Read(func(v *replica.View) error {
		return eachBlock(v, func(b ledger.Block) error { return m.Add(b.Raw()) })
	})
	return m, err
}

// eachBlock visits all blocks held, by author, height and hash.
func eachBlock(v *replica.View, visit func(ledger.Block) error) error {
	authors, err := v.Authors()
	if err != nil {
		return err
	}
	for _, a := range authors {
		for b, err := range v.Chain(a, 1) {
			if err == nil {
				err = visit(b)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// viewsOf puts what a replica says into the words of the model.
func viewsOf(r *replica.Replica) (ModelViews, error) {
	out := ModelViews{
		Items: map[string]ModelItem{}, Placements: map[string]string{}, Voids: map[string]string{}, Tags: map[string][]string{},
	}
	err := r.Read(func(v *replica.View) error {
		out.Roster = rosterWords(v.Roster())
		w := &wording{v: v, out: &out, tags: map[string]bool{}}
		if err := eachBlock(v, w.block); err != nil {
			return err
		}
		if err := w.items(); err != nil {
			return err
		}
		return w.evidence()
	})
	slices.Sort(out.Uncounted)
	return out, err
}

// wording reads one view.
type wording struct {
	v    *replica.View
	out  *ModelViews
	tags map[string]bool // that any transaction names
}

func refWords(r ledger.Ref) string { return fmt.Sprintf("%s/%d/%s", r.Author, r.Height, r.Hash) }

func placeWords(p ledger.Place) string {
	return fmt.Sprintf("%s/%d/%s/%d", p.Author, p.Height, p.Block, p.Index)
}

func (w *wording) block(b ledger.Block) error {
	counted, err := counts(w.v, b.Ref())
	if err != nil {
		return err
	}
	if !counted {
		w.out.Uncounted = append(w.out.Uncounted, refWords(b.Ref()))
	}
	for i, t := range b.Txs() {
		switch body := t.Body.(type) {
		case ledger.Intake:
			w.name(body.Tags)
		case ledger.Bind:
			w.name(body.Tags)
		}
		place := ledger.Place{Author: b.Header().Author, Height: b.Header().Height, Block: b.Hash(), Index: uint16(i)}
		if err := w.placement(place, t.ID()); err != nil {
			return err
		}
	}
	return nil
}

func (w *wording) name(tags []string) {
	for _, t := range tags {
		w.tags[t] = true
	}
}

func (w *wording) placement(place ledger.Place, tx ledger.TxID) error {
	s, ok, err := w.v.Tx(tx)
	if err != nil || !ok {
		return fmt.Errorf("transaction %s of a block held cannot be found: %w", tx, err)
	}
	i := slices.IndexFunc(s.Placed, func(p replica.Placed) bool { return p.Place == place })
	if i < 0 {
		return fmt.Errorf("transaction %s is not placed at %v", tx, place)
	}
	words := s.Placed[i].Status.String()
	switch {
	case s.Valid && place != s.Place():
		words = "again"
	case s.Placed[i].Status == replica.Void:
		w.out.Voids[placeWords(place)] = string(s.Placed[i].Reason)
	}
	if s.Placed[i].Uncounted {
		words += " uncounted"
	}
	w.out.Placements[placeWords(place)] = words
	return nil
}

func (w *wording) items() error {
	bound := map[ledger.ItemID][]string{}
	for tag := range w.tags {
		open, closed, err := w.v.Tag(tag)
		if err != nil {
			return err
		}
		for _, it := range open {
			w.out.Tags[tag] = append(w.out.Tags[tag], it.ID.String())
		}
		slices.Sort(w.out.Tags[tag])
		if len(open) == 0 {
			delete(w.out.Tags, tag)
		}
		for _, it := range append(open, closed...) {
			bound[it.ID] = append(bound[it.ID], tag)
		}
	}
	for it, err := range w.v.Items(ledger.ItemID{}, 0) {
		if err != nil {
			return err
		}
		words := ModelItem{Label: it.Label, Product: it.Product, Lot: it.Lot, Nodes: map[string]string{}, Tags: bound[it.ID]}
		slices.Sort(words.Tags)
		for _, h := range it.HeadIDs {
			words.Heads = append(words.Heads, h.String())
		}
		for _, n := range it.Nodes {
			words.Nodes[n.Tx.String()] = nodeWords(it, n)
		}
		w.out.Items[it.ID.String()] = words
	}
	return nil
}

func nodeWords(it ledger.Item, n ledger.Node) string {
	words := n.State.Phase.String()
	switch n.State.Phase {
	case ledger.Expected, ledger.Nonconforming:
		for _, o := range n.State.Options {
			words += " " + o.Task + "/" + o.Operation + "/" + o.Place
		}
	case ledger.InWork:
		words += fmt.Sprintf(" %s %s/%s/%s", n.State.By, n.State.Station, n.State.Operation, n.State.Task)
	case ledger.Consumed:
		words += " " + n.State.Into.String()
	}
	words += " order " + it.OrderOf(n.Tx).String()
	if n.Rests == 1 {
		words += " rests"
	}
	if n.Uncounted == 1 {
		words += " uncounted"
	}
	return words
}

func (w *wording) evidence() error {
	named, err := w.v.Evidence()
	for _, b := range named {
		words := fmt.Sprintf("%s/%d", b.Author, b.Height)
		for _, r := range b.Blocks {
			words += " " + r.Hash.String()
		}
		w.out.Evidence = append(w.out.Evidence, words)
	}
	slices.Sort(w.out.Evidence)
	return err
}

// counts works out anew whether a block counts: its author is not revoked, or one
// of the heads named goes back to it.
func counts(v *replica.View, ref ledger.Ref) (bool, error) {
	heads, revoked := v.Roster().Revoked(ref.Author)
	if !revoked {
		return true, nil
	}
	seen := map[ledger.Hash]bool{}
	for len(heads) > 0 {
		h := heads[len(heads)-1]
		heads = heads[:len(heads)-1]
		if h == ref.Hash {
			return true, nil
		}
		b, ok, err := v.Block(h)
		if err != nil {
			return false, err
		}
		if !ok || seen[h] || b.Header().Author != ref.Author || b.Header().Height <= ref.Height {
			continue
		}
		seen[h] = true
		heads = append(heads, b.Header().Prev)
		if also := b.Header().Also; !also.IsZero() {
			heads = append(heads, also)
		}
	}
	return false, nil
}

func rosterWords(r *ledger.Roster) ModelRoster {
	admins, threshold := r.Admins()
	out := ModelRoster{
		Identities: map[string]string{}, Tickets: map[string]string{}, Parameters: map[string]int64{}, Threshold: int(threshold),
		Uncounted: hashWords(r.Uncounted()), Contested: hashWords(r.Contested()), Heads: hashWords(r.Heads()),
	}
	for _, i := range r.Identities() {
		words := fmt.Sprintf("%s roles %d", i.Name, i.Roles)
		if i.Revoked {
			words = strings.Join(append([]string{words, "revoked"}, hashWords(i.Heads)...), " ")
		}
		out.Identities[i.ID.String()] = words
	}
	for _, a := range r.Assignments() {
		out.Assignments = append(out.Assignments, stationWords(a.Station, a.Gateway.String(), a.WorkCentre, a.Intake))
	}
	slices.Sort(out.Assignments)
	for _, a := range admins {
		out.Admins = append(out.Admins, a.Name+" "+a.Key.ID().String())
	}
	for _, t := range r.Tickets() {
		words := fmt.Sprintf("%s roles %d %s", t.Name, t.Roles, stationWords(t.Station, "-", t.WorkCentre, t.Intake))
		if len(t.Redeemed) > 0 {
			words += " redeemed"
		}
		for _, k := range t.Redeemed {
			words += " " + k.String()
		}
		if kept, revoked := r.Revoked(t.Code); revoked {
			words = strings.Join(append([]string{words, "revoked"}, hashWords(kept)...), " ")
		}
		out.Tickets[t.Code.String()] = words
	}
	for i := range 16 { // the parameters that the plant sets
		if value, ok := r.Parameter(parameterName(i)); ok {
			out.Parameters[parameterName(i)] = value
		}
	}
	return out
}

func parameterName(i int) string { return fmt.Sprintf("retention-%d", i) }

func hashWords(hs []ledger.Hash) []string {
	out := make([]string, 0, len(hs))
	for _, h := range hs {
		out = append(out, h.String())
	}
	return out
}
