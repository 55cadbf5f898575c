package agent

import (
	"context"
	"fmt"
	"strings"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// keyNamed finds a gateway by name or key id.
func keyNamed(v *replica.View, author string) (ledger.KeyID, error) {
	ids := v.Roster().Named(author)
	if len(ids) == 1 {
		return ids[0].ID, nil
	}
	if len(ids) > 1 {
		return ledger.KeyID{}, fmt.Errorf("gateway %q: %w: the name is doubled; give the key id", author, ErrAmbiguous)
	}
	var found []ledger.KeyID
	for _, i := range v.Roster().Identities() {
		if strings.HasPrefix(i.ID.String(), strings.ToLower(author)) {
			found = append(found, i.ID)
		}
	}
	switch len(found) {
	case 0:
		return ledger.KeyID{}, fmt.Errorf("gateway %q: %w", author, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return ledger.KeyID{}, fmt.Errorf("gateway %q: %w", author, ErrAmbiguous)
}

func (d *desk) Blocks(ctx context.Context, q BlockQuery) ([]BlockLine, error) {
	var out []BlockLine
	err := d.replica.Read(func(v *replica.View) error {
		authors, err := v.Authors()
		if err != nil {
			return err
		}
		if q.Author != "" {
			key, err := keyNamed(v, q.Author)
			if err != nil {
				return err
			}
			authors = []ledger.KeyID{key}
		}
		for _, author := range authors {
			for b, err := range v.Chain(author, q.From) {
				if err != nil {
					return err
				}
				if len(out) == limit(q.Limit) {
					return nil
				}
				line, err := blockLine(v, b)
				if err != nil {
					return err
				}
				out = append(out, line)
			}
		}
		return nil
	})
	return out, err
}

func blockLine(v *replica.View, b ledger.Block) (BlockLine, error) {
	h := b.Header()
	line := BlockLine{
		Hash: b.Hash(), Author: names{v.Roster()}.of(h.Author), Height: h.Height, Time: h.Time, Clock: clockWord(h.Clock),
		Txs: len(b.Txs()), Joins: !h.Also.IsZero(),
	}
	var err error
	if line.Counted, err = v.Counted(b.Ref()); err != nil {
		return line, err
	}
	line.Covered, line.Witnesses, line.Confirmed, err = v.Confirmation(b.Ref())
	return line, err
}

// Block takes a hash, the beginning of one, or author/height.
func (d *desk) Block(ctx context.Context, id string) (BlockDocument, error) {
	var doc BlockDocument
	err := d.replica.Read(func(v *replica.View) error {
		b, err := findBlock(v, id)
		if err != nil {
			return err
		}
		doc, err = blockDocument(v, b)
		return err
	})
	return doc, err
}

func findBlock(v *replica.View, id string) (ledger.Block, error) {
	var found []ledger.Block
	if author, height, ok := strings.Cut(id, "/"); ok {
		key, err := keyNamed(v, author)
		if err != nil {
			return ledger.Block{}, err
		}
		at, err := parseHeight(height)
		if err != nil {
			return ledger.Block{}, fmt.Errorf("block %q: %w: a height is a number", id, ErrRefused)
		}
		for b, err := range v.Chain(key, at) {
			if err != nil {
				return ledger.Block{}, err
			}
			if b.Header().Height != at {
				break
			}
			found = append(found, b)
		}
	} else if h, err := ledger.ParseHash(id); err == nil {
		b, ok, err := v.Block(h)
		if err != nil {
			return ledger.Block{}, err
		}
		if ok {
			found = append(found, b)
		}
	} else if len(id) >= 6 {
		if found, err = v.BlocksBeginning(strings.ToLower(id), 2); err != nil {
			return ledger.Block{}, err
		}
	}
	switch len(found) {
	case 0:
		return ledger.Block{}, fmt.Errorf("block %q: %w: give its hash or author/height", id, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return ledger.Block{}, fmt.Errorf("block %q: %w: it means %s and %s", id, ErrAmbiguous, found[0].Hash(), found[1].Hash())
}

func blockDocument(v *replica.View, b ledger.Block) (BlockDocument, error) {
	line, err := blockLine(v, b)
	if err != nil {
		return BlockDocument{}, err
	}
	h := b.Header()
	doc := BlockDocument{BlockLine: line, Prev: h.Prev, Skip: h.Skip, Root: h.Root, Roster: h.Roster, Bytes: len(b.Raw())}
	if !h.Also.IsZero() {
		doc.Also = &h.Also
	}
	for _, t := range b.Txs() {
		td, err := txDocument(v, t.ID())
		if err != nil {
			return doc, err
		}
		doc.Body = append(doc.Body, td)
	}
	return doc, nil
}

// Transaction takes an id or the beginning of one, for which all blocks are read.
func (d *desk) Transaction(ctx context.Context, id string) (TxDocument, error) {
	var doc TxDocument
	err := d.replica.Read(func(v *replica.View) error {
		found, err := v.TxsBeginning(strings.ToLower(id), 2)
		switch {
		case err != nil:
			return err
		case len(found) == 0 || len(id) < 6:
			return fmt.Errorf("transaction %q: %w: give its id, or its first 6 digits or more", id, ErrNotFound)
		case len(found) > 1:
			return fmt.Errorf("transaction %q: %w: it means %s and %s", id, ErrAmbiguous, found[0], found[1])
		}
		doc, err = txDocument(v, found[0])
		return err
	})
	return doc, err
}

func txDocument(v *replica.View, id ledger.TxID) (TxDocument, error) {
	sealed, ok, err := v.Tx(id)
	if err != nil {
		return TxDocument{}, err
	}
	if !ok {
		return TxDocument{}, fmt.Errorf("transaction %s: %w", id, ErrNotFound)
	}
	t, n := sealed.Tx, names{v.Roster()}
	doc := TxDocument{
		ID: id, Kind: t.Kind.String(), Sender: n.of(t.Sender), Time: t.Time, Clock: clockWord(t.Clock),
		After: t.After, About: t.About, Signed: len(t.Sig) > 0, Body: t.Body,
	}
	if item := t.ItemID(); !item.IsZero() {
		doc.Item = &item
	}
	for _, p := range sealed.Placed {
		line := PlaceLine{Author: n.of(p.Author), Height: p.Height, Block: p.Block, Index: p.Index, Status: p.Status.String()}
		if p.Again {
			line.Status = "again"
		}
		if p.Status != replica.Valid {
			_, line.Reason = placedWords([]replica.Placed{p})
		}
		doc.Places = append(doc.Places, line)
	}
	return doc, nil
}

func (d *desk) Evidence(ctx context.Context) ([]EvidenceDocument, error) {
	var out []EvidenceDocument
	err := d.replica.Read(func(v *replica.View) error {
		branches, err := v.Evidence()
		if err != nil {
			return err
		}
		for _, b := range branches {
			if len(b.Blocks) < 2 {
				continue
			}
			out = append(out, EvidenceDocument{
				Author: names{v.Roster()}.of(b.Author), Key: b.Author, Height: b.Height, A: b.Blocks[0].Hash, B: b.Blocks[1].Hash,
			})
		}
		return nil
	})
	return out, err
}

func (d *desk) Stats(ctx context.Context) (StatsDocument, error) {
	doc := StatsDocument{Items: map[string]int64{}}
	err := d.replica.Read(func(v *replica.View) error {
		st, err := v.Stats()
		if err != nil {
			return err
		}
		doc.Blocks, doc.Transactions, doc.Statements = int64(st.Blocks), int64(st.Transactions), int(st.Statements)
		doc.Void, doc.Waiting = int64(st.Placements[replica.Void]), int64(st.Placements[replica.Waiting])
		doc.Bytes, doc.FreeBytes, doc.DaysUntilFull = st.StoreBytes, st.FreeBytes, int64(st.DaysLeft)
		for standing, n := range st.Items {
			doc.Items[standing.String()] = int64(n)
		}
		for _, err := range v.Pool() {
			if err != nil {
				return err
			}
			doc.Pool++
		}
		authors, err := v.Authors()
		if err != nil {
			return err
		}
		for _, author := range authors {
			line := ChainLine{Author: names{v.Roster()}.of(author), Key: author}
			heads, err := v.HeadsOf(author)
			if err != nil {
				return err
			}
			line.Branches = len(heads)
			if line.Height, line.Confirmed, err = heights(v, author); err != nil {
				return err
			}
			n, err := v.BlockCount(author)
			if err != nil {
				return err
			}
			line.Blocks = int64(n)
			doc.Chains = append(doc.Chains, line)
		}
		return nil
	})
	if err != nil {
		return doc, err
	}
	doc.Views, err = d.replica.DumpHash()
	return doc, err
}
