package dialogue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"traveler.example/agent"
	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// alike prints what gateways say, those that say the same together.
func (s *scene) alike(look func(*board) ([]string, error)) error {
	type group struct {
		names []string
		lines []string
	}
	var groups []*group
	running := 0
	for _, b := range s.boards {
		if b.life == nil {
			continue
		}
		running++
		lines, err := look(b)
		if err != nil {
			return fmt.Errorf("%s: %w", b.place.name, err)
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return slices.Equal(g.lines, lines) })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{lines: lines})
		}
		groups[i].names = append(groups[i].names, b.place.name)
	}
	for _, g := range groups {
		who := strings.Join(g.names, ", ")
		if len(groups) == 1 && running > 1 {
			who = "all"
		}
		for i, l := range g.lines {
			if i == 0 {
				l = who + ": " + l
			}
			s.print("%s", l)
		}
	}
	return nil
}

// item prints what each gateway says of an item: its state and its history; with
// seals=yes also how far each entry is confirmed.
func (s *scene) item(c *command) error {
	seals := c.option("seals", "no") == "yes"
	return s.alike(func(b *board) ([]string, error) {
		doc, err := b.life.agent.Desk().Item(context.Background(), c.args[0])
		if err != nil {
			return []string{err.Error()}, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		lines := itemLines(doc, seals)
		for i := range lines {
			lines[i] = s.words.plain(lines[i])
		}
		return lines, nil
	})
}

func itemLines(doc agent.ItemDocument, seals bool) []string {
	first := fmt.Sprintf("%s is %s", doc.Label, doc.State)
	if len(doc.Where) > 0 {
		first += " at " + strings.Join(doc.Where, " or ")
	}
	if doc.Into != "" {
		first += " into " + doc.Into
	}
	if len(doc.Parts) > 0 {
		first += ", with " + strings.Join(doc.Parts, ", ")
	}
	if doc.RestsRevoked {
		first += ", rests on a revoked block"
	}
	if len(doc.Tags) > 1 || len(doc.Tags) == 1 && doc.Tags[0] != doc.Label {
		first += ", tags " + strings.Join(doc.Tags, ", ")
	}
	lines := []string{first}
	if doc.OnNote != "" {
		lines = append(lines, "  by a note: "+doc.OnNote)
	}
	for _, e := range doc.History {
		l := fmt.Sprintf("  %-10s %-11s %s", e.Block, e.Kind, e.What)
		if len(e.Operators) > 0 {
			l += ", signed by " + strings.Join(e.Operators, ", ")
		}
		if seals {
			l = fmt.Sprintf("  %-10s %-16s %-11s %s", e.Block, e.Status, e.Kind, e.What)
		}
		lines = append(lines, strings.TrimRight(l, " "))
	}
	return lines
}

// roster prints whom each gateway knows.
func (s *scene) roster(*command) error {
	return s.alike(func(b *board) ([]string, error) {
		doc, err := b.life.agent.Desk().Roster(context.Background())
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		lines := []string{"roster " + list(doc.Heads, s.words.hash)}
		s.mu.Unlock()
		for _, i := range doc.Identities {
			l := fmt.Sprintf("  %-10s %s", i.Name, i.Roles)
			for _, st := range doc.Stations {
				if station := ", station " + st.Station; st.Gateway == i.Name && !strings.HasSuffix(l, station) {
					l += station
				}
			}
			if i.Revoked {
				l += ", revoked"
			}
			lines = append(lines, l)
		}
		for _, d := range doc.Doubled {
			lines = append(lines, "  doubled: "+d)
		}
		return lines, nil
	})
}

// confirmed prints up to which block each chain is held, and how many of the
// witnesses cover it.
func (s *scene) confirmed(*command) error {
	return s.alike(func(b *board) (lines []string, err error) {
		err = b.replica.Read(func(v *replica.View) error {
			heads, err := v.Heads()
			for _, h := range heads {
				n, m, sure, err := v.Confirmation(h)
				if err != nil {
					return err
				}
				l := fmt.Sprintf("%s %d of %d", s.words.ref(h), n, m)
				if sure {
					l += " confirmed"
				}
				lines = append(lines, l)
			}
			return err
		})
		slices.Sort(lines)
		return []string{strings.Join(lines, ", ")}, err
	})
}

// evidence prints of whom two versions of the chain are known.
func (s *scene) evidence(*command) error {
	return s.alike(func(b *board) ([]string, error) {
		said := "none"
		err := b.replica.Read(func(v *replica.View) error {
			branches, err := v.Evidence()
			if len(branches) > 0 {
				said = list(branches, func(x replica.Branches) string {
					return fmt.Sprintf("%s has two versions from height %d on: %s", s.words.name(x.Author), x.Height, s.words.refs(x.Blocks))
				})
			}
			return err
		})
		return []string{said}, err
	})
}

// same prints whether all gateways show the same, byte for byte.
func (s *scene) same(*command) error {
	hashes := map[string][]string{}
	var order []string
	for _, b := range s.boards {
		if b.life == nil {
			continue
		}
		h, err := b.replica.DumpHash()
		if err != nil {
			return err
		}
		if hashes[h] == nil {
			order = append(order, h)
		}
		hashes[h] = append(hashes[h], b.place.name)
	}
	if len(order) == 1 {
		s.print("all hold the same")
		return nil
	}
	for _, h := range order {
		s.print("%s: as no other", strings.Join(hashes[h], " and "))
	}
	return nil
}

// waiting prints the transactions held that do not count, and why.
func (s *scene) waiting(*command) error {
	return s.alike(func(b *board) (lines []string, err error) {
		err = b.replica.Read(func(v *replica.View) error {
			authors, err := v.Authors()
			for _, a := range authors {
				for block, err := range v.Chain(a, 1) {
					if err != nil {
						return err
					}
					for _, t := range block.Txs() {
						l, err := s.uncounted(v, block, t)
						if err != nil {
							return err
						}
						lines = append(lines, l...)
					}
				}
			}
			return err
		})
		slices.Sort(lines)
		if lines == nil {
			lines = []string{"all that is held counts"}
		}
		return lines, err
	})
}

// uncounted says why a transaction does not count in a block; nothing if it does.
func (s *scene) uncounted(v *replica.View, block ledger.Block, t ledger.Tx) ([]string, error) {
	sealed, _, err := v.Tx(t.ID())
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range sealed.Placed {
		what := fmt.Sprintf("%s in %s", s.words.tx(t), s.words.ref(block.Ref()))
		switch {
		case p.Block != block.Hash():
		case p.Status == replica.Void:
			lines = append(lines, fmt.Sprintf("%s is void: %s", what, p.Reason))
		case p.Status == replica.Waiting:
			lines = append(lines, what+" waits")
		case p.Uncounted:
			lines = append(lines, what+" is left out: its block is revoked")
		case p.Again:
			lines = append(lines, what+" is there again")
		}
	}
	return lines, nil
}
