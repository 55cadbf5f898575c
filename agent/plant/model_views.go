package plant

import (
	"fmt"
	"slices"
	"strings"
)

// views puts what was worked out into words.
func (w *mWorld) views() ModelViews {
	v := ModelViews{
		Items: map[string]ModelItem{}, Placements: map[string]string{}, Voids: map[string]string{}, Evidence: w.evidence(),
		Tags: map[string][]string{}, Roster: w.rosterWords(),
	}
	for _, p := range w.placements {
		words := w.placementWords(p)
		v.Placements[p.name()] = words
		if strings.HasPrefix(words, "void") {
			v.Voids[p.name()] = p.reason
		}
	}
	for _, b := range w.blocks {
		if !b.counted {
			v.Uncounted = append(v.Uncounted, b.name())
		}
	}
	slices.Sort(v.Uncounted)
	for id := range w.nodes {
		v.Items[hexOf(id)] = w.itemWords(id)
		if w.closed(id) {
			continue
		}
		for _, tag := range w.tags(id) {
			v.Tags[tag] = append(v.Tags[tag], hexOf(id))
		}
	}
	for _, items := range v.Tags {
		slices.Sort(items)
	}
	return v
}

// placementWords: every placement of a valid transaction but the one shown is
// "again", whatever it would be alone.
func (w *mWorld) placementWords(p *mPlacement) string {
	words := p.status
	if w.valid[p.tx.id] != nil && !p.shown {
		words = "again"
	}
	if !p.block.counted {
		words += " uncounted"
	}
	return words
}

func (w *mWorld) itemWords(id string) ModelItem {
	intake := w.valid[id].body
	it := ModelItem{
		Label: intake.str("label"), Product: intake.str("product"), Lot: intake.str("lot"),
		Heads: hexAll(w.heads(id)), Nodes: map[string]string{}, Tags: w.tags(id),
	}
	for tx, n := range w.nodes[id] {
		words := n.state.words() + " order " + hexOf(w.order(n))
		if n.rests {
			words += " rests"
		}
		if !n.counted {
			words += " uncounted"
		}
		it.Nodes[hexOf(tx)] = words
	}
	return it
}

func (s mState) words() string {
	switch s.phase {
	case "expected", "nonconforming":
		words := []string{s.phase}
		for _, o := range s.options {
			words = append(words, o.str("task")+"/"+o.str("operation")+"/"+o.str("place"))
		}
		return strings.Join(words, " ")
	case "in work":
		return fmt.Sprintf("in work %s %s/%s/%s", hexOf(s.by), s.station, s.operation, s.task)
	case "consumed":
		return "consumed " + hexOf(s.into)
	}
	return s.phase
}

// closed tells whether an item's only head says that it is finished, scrapped or
// consumed, and does not rest on a revoked block.
func (w *mWorld) closed(id string) bool {
	heads := w.heads(id)
	if len(heads) != 1 {
		return false
	}
	head := w.nodes[id][heads[0]]
	return !head.rests && slices.Contains([]string{"finished", "scrapped", "consumed"}, head.state.phase)
}

// tags returns the tags that counted intakes and binds give an item and that no
// counted bind supersedes.
func (w *mWorld) tags(item string) []string {
	superseded := map[string]bool{}
	for id, t := range w.valid {
		if t.kind == 8 && w.counted(id) {
			for _, old := range t.body.strs("supersedes") {
				superseded[old] = true
			}
		}
	}
	tags := map[string]bool{}
	for id, t := range w.valid {
		if (t.kind == 2 || t.kind == 8) && t.itemID() == item && w.counted(id) && !superseded[id] {
			for _, tag := range t.body.strs("tags") {
				tags[tag] = true
			}
		}
	}
	return sortedKeys(tags)
}

func (w *mWorld) rosterWords() ModelRoster {
	r := w.roster
	out := ModelRoster{
		Identities: map[string]string{}, Tickets: map[string]string{}, Parameters: map[string]int64{}, Threshold: r.threshold,
		Uncounted: hexAll(r.uncounted), Contested: hexAll(r.contested), Heads: hexAll(w.register.heads(keySet(w.register.held))),
	}
	for id, p := range r.people {
		words := fmt.Sprintf("%s roles %d", p.name, p.roles)
		if r.isRevoked(id) {
			words += " revoked" + spaced(r.revoked[id])
		}
		out.Identities[hexOf(id)] = words
	}
	for _, a := range r.assigned {
		if !r.isRevoked(a.gateway) {
			out.Assignments = append(out.Assignments, stationWords(a.station, hexOf(a.gateway), a.centre, a.intake))
		}
	}
	slices.Sort(out.Assignments)
	for _, a := range r.admins {
		out.Admins = append(out.Admins, a.name+" "+hexOf(a.key.id()))
	}
	for code, all := range r.tickets {
		t := all[len(all)-1]
		words := fmt.Sprintf("%s roles %d %s", t.name, t.roles, stationWords(t.station, "-", t.centre, t.intake))
		if r.redeemed[code] != nil {
			words += " redeemed" + spaced(r.redeemed[code])
		}
		if r.revoked[code] != nil {
			words += " revoked" + spaced(r.revoked[code])
		}
		out.Tickets[hexOf(code)] = words
	}
	for name, value := range r.params {
		out.Parameters[name] = value
	}
	return out
}

// stationWords says "station gateway work-centre intake", with "-" for what is
// absent.
func stationWords(station, gateway, centre string, intake bool) string {
	takesIn := ""
	if intake {
		takesIn = "intake"
	}
	words := []string{station, gateway, centre, takesIn}
	for i, w := range words {
		if w == "" {
			words[i] = "-"
		}
	}
	return strings.Join(words, " ")
}

func spaced(set map[string]bool) string {
	words := ""
	for _, k := range sortedKeys(set) {
		words += " " + hexOf(k)
	}
	return words
}

func keySet[V any](m map[string]V) map[string]bool {
	set := map[string]bool{}
	for k := range m {
		set[k] = true
	}
	return set
}

func hexAll(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, hexOf(s))
	}
	return out
}
