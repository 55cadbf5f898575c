package agent

import (
	"context"
	"fmt"
	"slices"

	"traveler.example/drivers"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// amend puts new values to this gateway's own last report or verdict on an item:
// to the latest report of the item's history, unless a verdict of this gateway
// is the last word.
func (a *Agent) amend(ctx context.Context, id string, body ledger.Amend) (Receipt, error) {
	var it ledger.Item
	err := a.parts.Replica.Read(func(v *replica.View) (err error) {
		it, err = find(v, id)
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	target, err := a.amendable(it)
	if err != nil {
		return Receipt{}, err
	}
	return a.sealOwn(ctx, ledger.Tx{Item: it.ID, About: []ledger.TxID{target}, Body: body})
}

// amendable returns the last report or verdict of an item, if it is this
// gateway's own.
func (a *Agent) amendable(it ledger.Item) (ledger.TxID, error) {
	if it.InConflict() {
		return ledger.TxID{}, fmt.Errorf("%w: %s is in conflict: quality rules first which history goes on (item dispose)", ErrConflict, it.Label)
	}
	if len(it.HeadIDs) == 0 {
		return ledger.TxID{}, fmt.Errorf("%w: nothing of %s counts that could be amended", ErrNotFound, it.Label)
	}
	for _, n := range slices.Backward(it.Lineage(it.HeadIDs[0])) {
		if n.Kind != ledger.KindReport && n.Kind != ledger.KindVerdict || !n.Of.IsZero() {
			continue
		}
		if n.Sender == a.key {
			return n.Tx, nil
		}
		if n.Kind == ledger.KindVerdict && n.Ruling == ledger.Accept {
			continue // what is in work elsewhere may still have been measured wrong here
		}
		return ledger.TxID{}, fmt.Errorf("%w: the last %s on %s is %s's, and only its author amends it", ErrNotPermitted, n.Kind, it.Label, a.nameOf(n.Sender))
	}
	return ledger.TxID{}, fmt.Errorf("%w: no station has reported on %s yet", ErrNotFound, it.Label)
}

// sealOwn seals a transaction that this gateway says for itself.
func (a *Agent) sealOwn(ctx context.Context, t ledger.Tx) (Receipt, error) {
	t.Sender = a.key
	t.Time, t.Clock = a.parts.Replica.Stamp()
	made, err := ledger.NewTx(a.parts.Replica.Register().Network(), t)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return a.sealOne(ctx, made)
}

// bind binds tags to an item that this gateway holds.
func (a *Agent) bind(ctx context.Context, id string, q BindQuery) (Receipt, error) {
	var it ledger.Item
	var body ledger.Bind
	err := a.parts.Replica.Read(func(v *replica.View) (err error) {
		if it, err = find(v, id); err != nil {
			return err
		}
		bound, err := bindingsOf(v, it)
		if err != nil {
			return err
		}
		body, err = BindBody(bound, q)
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	head, ok := it.Head()
	if !ok {
		return Receipt{}, fmt.Errorf("%w: %s is in conflict: nobody holds it; have quality sign the binding (--key)", ErrConflict, it.Label)
	}
	receipt, err := a.sealOwn(ctx, ledger.Tx{Item: it.ID, About: []ledger.TxID{head.Tx}, Body: body})
	if err != nil {
		err = fmt.Errorf("%w; who does not hold the item has quality sign the binding (--key)", err)
	}
	return receipt, err
}

func bindingsOf(v *replica.View, it ledger.Item) (BindingsDocument, error) {
	doc := BindingsDocument{Item: it.ID, Label: it.Label, Bindings: []BindingLine{}}
	bound, err := v.Bindings(it.ID)
	for _, b := range bound {
		doc.Bindings = append(doc.Bindings, BindingLine{Tx: b.Tx, Tags: b.Tags})
	}
	return doc, err
}

// BindBody says what binds tags to an item as q wants it: a binding that holds a
// tag to be freed is superseded, and its other tags are bound anew. The errors
// wrap ErrRefused for a tag that cannot be one, ErrNotFound for a tag to be freed
// that the item does not have, ErrConflict where nothing would change.
func BindBody(now BindingsDocument, q BindQuery) (ledger.Bind, error) {
	add, err := tagsNamed(q.Tags)
	if err != nil {
		return ledger.Bind{}, err
	}
	free, err := tagsNamed(q.Free)
	if err != nil {
		return ledger.Bind{}, err
	}
	var body ledger.Bind
	var has, kept []string
	for _, b := range now.Bindings {
		has = append(has, b.Tags...)
		stays := slices.DeleteFunc(slices.Clone(b.Tags), func(tag string) bool { return q.Replace || slices.Contains(free, tag) })
		if len(stays) < len(b.Tags) {
			body.Supersedes = append(body.Supersedes, b.Tx)
			kept = append(kept, stays...)
		}
	}
	for _, tag := range free {
		if !slices.Contains(has, tag) {
			return ledger.Bind{}, fmt.Errorf("%w: %s does not have tag %s; it has %v", ErrNotFound, now.Label, tag, has)
		}
	}
	for _, tag := range append(kept, add...) {
		stands := slices.ContainsFunc(now.Bindings, func(b BindingLine) bool {
			return slices.Contains(b.Tags, tag) && !slices.Contains(body.Supersedes, b.Tx)
		})
		if !stands && !slices.Contains(body.Tags, tag) {
			body.Tags = append(body.Tags, tag)
		}
	}
	if len(body.Tags)+len(body.Supersedes) == 0 {
		return ledger.Bind{}, fmt.Errorf("%w: %s has these tags already: %v", ErrConflict, now.Label, has)
	}
	return body, nil
}

// tagsNamed reads tags as people write them.
func tagsNamed(words []string) ([]string, error) {
	var tags []string
	for _, w := range words {
		if t, err := drivers.ParseTag(w, ""); err == nil {
			w = t.ID
		}
		if err := ledger.CheckID(w); err != nil {
			return nil, fmt.Errorf("%w: tag %q: %w", ErrRefused, w, err)
		}
		if !slices.Contains(tags, w) {
			tags = append(tags, w)
		}
	}
	return tags, nil
}

// Amend implements [Desk].
func (d *desk) Amend(ctx context.Context, item string, body ledger.Amend) (Receipt, error) {
	if d.live == nil {
		return Receipt{}, d.stopped("amending")
	}
	return d.live.amend(ctx, item, body)
}

// Bind implements [Desk].
func (d *desk) Bind(ctx context.Context, item string, q BindQuery) (Receipt, error) {
	if d.live == nil {
		return Receipt{}, d.stopped("binding tags")
	}
	return d.live.bind(ctx, item, q)
}

// Bindings implements [Desk].
func (d *desk) Bindings(_ context.Context, item string) (BindingsDocument, error) {
	var doc BindingsDocument
	err := d.replica.Read(func(v *replica.View) error {
		it, err := find(v, item)
		if err != nil {
			return err
		}
		doc, err = bindingsOf(v, it)
		return err
	})
	return doc, err
}
