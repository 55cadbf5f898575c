package ledger

import (
	"slices"
	"strings"
)

// Handover is a note that was verified: whose it is, of which item, on which tag.
type Handover struct {
	Note   Note
	Author Identity
	Item   ItemID
	Tag    string
	Here   KeyID // the gateway that goes by it: what it has in work it knows itself
}

// VerifyNote checks a note that was read from a tag against the roster and the
// items that the tag is on. Prefixes may fit several keys and items; each pair is
// tried, 32 at most. elsewhere names, for the words of a refusal, the printed id
// of another item known here that begins with the note's prefix; nil: none is
// looked for. Errors are *NoteError. A note of an intake that is not here is
// verified all the same, for its item is what it stands for: the fault is
// NoteUnknownItem then, too, and the Handover says whose it is.
func VerifyNote(net NetworkID, r *Roster, n Note, tag string, items []Item, elsewhere func(prefix [8]byte) (label string, ok bool)) (Handover, error) {
	authors, revoked := noteAuthors(r, n.Author)
	var fits []Item
	for _, it := range items {
		if [8]byte(it.ID[:8]) == n.Item {
			fits = append(fits, it)
		}
	}
	known := len(authors)+len(revoked) > 0
	switch {
	case len(fits) == 0:
		return n.otherItem(net, authors, known, tag, items, elsewhere)
	case !known:
		return Handover{}, noteFault(NoteAuthor, "no gateway known here has a key that begins with %x", n.Author)
	}
	tries := 0
	fitsKey := func(who Identity, it Item, tag string) bool {
		tries++
		return tries <= maxNoteTries && n.signedBy(net, who, it.ID, tag)
	}
	for _, it := range fits {
		for _, who := range authors {
			if fitsKey(who, it, tag) {
				return Handover{Note: n, Author: who, Item: it.ID, Tag: tag}, nil
			}
		}
		for _, who := range revoked {
			if fitsKey(who, it, tag) {
				return Handover{}, noteFault(NoteRevoked, "%s, who wrote the note, is revoked", who.Name)
			}
		}
	}
	for _, it := range fits {
		for _, other := range it.Tags {
			for _, who := range authors {
				if other != tag && fitsKey(who, it, other) {
					return Handover{}, noteFault(NoteOtherTag, "the note was written for tag %s of %s, not for this one", other, it.Label)
				}
			}
		}
	}
	return Handover{}, noteFault(NoteSignature, "the note is not signed for this tag by %s", namesOf(append(authors, revoked...)))
}

// noteAuthors returns the gateways that a prefix may mean.
func noteAuthors(r *Roster, prefix [4]byte) (in, revoked []Identity) {
	for id := range r.people.all() {
		if key := keyOf(id); [4]byte(key[:4]) == prefix {
			switch who, _ := r.Identity(key); {
			case who.Roles&RoleGateway == 0:
			case who.Revoked:
				revoked = append(revoked, who)
			default:
				in = append(in, who)
			}
		}
	}
	return in, revoked
}

// otherItem says what a note is that fits none of the items at hand.
func (n Note) otherItem(net NetworkID, authors []Identity, known bool, tag string, items []Item, elsewhere func([8]byte) (string, bool)) (Handover, error) {
	if elsewhere != nil {
		if label, ok := elsewhere(n.Item); ok {
			return Handover{}, noteFault(NoteOtherItem, "the note was written for another item, %s", label)
		}
	}
	switch {
	case !known:
		return Handover{}, noteFault(NoteNetwork, "neither the author (%x) nor the item (%x) of the note is known here: it is of another network", n.Author, n.Item)
	case len(items) > 0:
		return Handover{}, noteFault(NoteOtherItem, "the note of %s was written for another item, which is not known here", namesOf(authors))
	case !n.OfIntake():
		return Handover{}, noteFault(NoteUnknownItem, "the tag carries a note of %s about an item that is not known here, so that its signature cannot be checked", namesOf(authors))
	}
	for _, who := range authors {
		if n.signedBy(net, who, n.Report, tag) {
			return Handover{Note: n, Author: who, Item: n.Report, Tag: tag}, noteFault(NoteUnknownItem, "%s has taken the item in; its intake has not arrived here", who.Name)
		}
	}
	return Handover{}, noteFault(NoteSignature, "the note is not signed for this tag by %s", namesOf(authors))
}

func namesOf(ids []Identity) string {
	if len(ids) == 0 {
		return "a gateway that is revoked"
	}
	var names []string
	for _, id := range ids {
		names = append(names, id.Name)
	}
	return strings.Join(names, " or ")
}

func (n Note) signedBy(net NetworkID, who Identity, item ItemID, tag string) bool {
	return who.Key.Alg == Ed25519 && who.Key.verify(n.digest(net, item, tag), n.Sig[:]) == nil
}

// Node returns what stands for the note's report in the history of it, an item
// with that order, until the report is here. Errors are *NoteError: NoteOld where
// the item is past the note, NoteContradicted where its author's chain reports the
// same operation by another report, NoteOrder where the order known here is not
// the one that the note was written under.
func (h Handover) Node(it Item, order Order, r *Roster) (Node, error) {
	head, err := h.head(it)
	if err != nil {
		return Node{}, err
	}
	options, done, err := h.Note.offers(order)
	if err != nil {
		return Node{}, err
	}
	op := order.Routing[h.Note.Operation]
	if err := h.supersedes(it.Lineage(head.Tx), op.ID, done, order); err != nil {
		return Node{}, err
	}
	n := Node{
		Tx: h.Note.Report, Kind: KindReport, Sender: h.Author.ID, Item: it.ID, After: []TxID{head.Tx},
		State:     State{Phase: Expected, Options: options},
		Operation: op.ID, Task: op.Task, Outcome: OutcomeOK, Time: head.Time, Depth: head.Depth + 1, Noted: done,
	}
	n.Station = stationOf(r, h.Author.ID, op.Place)
	return n, nil
}

// Assigned returns an error if no station of the note's author may have done what
// the note reports: none serves its place in the order, nor one where the item
// known here was sent for it. It is a *NoteError, NoteAuthor.
func (h Handover) Assigned(it Item, order Order, r *Roster) error {
	if int(h.Note.Operation) >= len(order.Routing) {
		return nil // Node says what is wrong with that
	}
	op := order.Routing[h.Note.Operation]
	places := []string{op.Place}
	for _, head := range it.Heads() {
		if st := head.State; st.Phase == InWork && st.By == h.Author.ID && st.Operation == op.ID {
			return nil
		}
		for _, o := range head.State.Options { // quality may have sent it elsewhere
			if o.Operation == op.ID {
				places = append(places, o.Place)
			}
		}
	}
	for _, as := range r.Assignments() {
		if as.Gateway == h.Author.ID && (slices.Contains(places, as.Station) || as.WorkCentre != "" && slices.Contains(places, as.WorkCentre)) {
			return nil
		}
	}
	return noteFault(NoteAuthor, "%s, who wrote the note, has no station for %s here", h.Author.Name, op.ID)
}

// Held compares the note with the report of its id, where that is here and does
// not count: the error, a *NoteError, says how they contradict each other.
func (h Handover) Held(report Tx, void VoidReason, order Order) error {
	switch {
	case void != "":
		return noteFault(NoteContradicted, "the report that the note stands for is here and void (%s)", void)
	case report.Sender != h.Author.ID, report.Item != h.Item:
		return noteFault(NoteContradicted, "the report that the note stands for is another's, or about another item")
	}
	if found := h.Note.Disagrees(report, order.Routing); found != "" {
		return noteFault(NoteContradicted, "%s", found)
	}
	return nil
}

// stationOf returns the one station of a gateway that serves a place; empty: none
// or several.
func stationOf(r *Roster, gateway KeyID, place string) (station string) {
	for _, as := range r.Assignments() {
		if as.Gateway != gateway || as.Station != place && as.WorkCentre != place {
			continue
		}
		if station != "" {
			return ""
		}
		station = as.Station
	}
	return station
}

// head returns the head of the item that the note goes on from.
func (h Handover) head(it Item) (Node, error) {
	if _, known := it.Node(h.Note.Report); known {
		return Node{}, noteFault(NoteOld, "the report that the note stands for is known here, and the item is past it")
	}
	head, ok := it.Head()
	switch {
	case !ok:
		return Node{}, noteFault(NoteOld, "the item is in conflict, which a note does not end")
	case head.Rests == 1:
		return Node{}, noteFault(NoteOld, "the item rests on a revoked block, which quality rules on")
	case head.State.Phase.Closed():
		return Node{}, noteFault(NoteOld, "the item is %s", head.State.Phase)
	case head.State.Phase == InWork && head.State.By == h.Here:
		return Node{}, noteFault(NoteOld, "the item is in work here, at %s", head.State.Station)
	case h.Note.OfIntake():
		return Node{}, noteFault(NoteOld, "the intake that the note stands for is not the item's")
	}
	return head, nil
}

// supersedes refuses the note of an operation that the history known here has
// done already, or that quality has not sent the item to, and one that knows less
// of the item than is known here.
func (h Handover) supersedes(line []Node, operation string, done []string, order Order) error {
	line = settled(line)
	last := line[len(line)-1]
	if last.Kind == KindDisposition && last.Operation != operation {
		return noteFault(NoteOld, "quality has ruled on the item: %s", last.Ruling)
	}
	known := Done(line, order.Routing)
	if !known[operation] {
		if st := last.State; st.Phase == InWork && !slices.Contains(done, st.Operation) {
			return noteFault(NoteOld, "the item has been taken up since for %s, at %s", st.Operation, st.Station)
		}
		for _, op := range order.Routing {
			if known[op.ID] && !slices.Contains(done, op.ID) {
				return noteFault(NoteOld, "%s is done already, which the note does not know", op.ID)
			}
		}
		return nil
	}
	for _, n := range slices.Backward(line) {
		if !n.ownReport() || n.Operation != operation {
			continue
		}
		if n.Sender == h.Author.ID {
			return noteFault(NoteContradicted, "%s has reported %s by another report (%s) than the note names (%s)", h.Author.Name, operation, n.Tx.Short(), h.Note.Report.Short())
		}
		break
	}
	return noteFault(NoteOld, "%s is done already", operation)
}

// offers returns the options in full, and what is done at the note: a reporter
// offers every operation that is ready, so that done is what neither is offered
// nor needs what is.
func (n Note) offers(order Order) (options []Option, done []string, err error) {
	changed := func() error {
		return noteFault(NoteOrder, "the note was written under another version of order %s", order.ID)
	}
	if int(n.Operation) >= len(order.Routing) {
		return nil, nil, changed()
	}
	left := map[string]bool{}
	for _, o := range n.Options {
		if int(o.Operation) >= len(order.Routing) {
			return nil, nil, changed()
		}
		op := order.Routing[o.Operation]
		if placePrefix(op.Place) != o.Place {
			return nil, nil, changed()
		}
		options = append(options, Option{Task: op.Task, Operation: op.ID, Place: op.Place})
		left[op.ID] = true
	}
	for before := 0; before < len(left); {
		before = len(left)
		for _, op := range order.Routing {
			if slices.ContainsFunc(op.Needs, func(need string) bool { return left[need] }) {
				left[op.ID] = true
			}
		}
	}
	for _, op := range order.Routing {
		if !left[op.ID] {
			done = append(done, op.ID)
		}
	}
	if left[order.Routing[n.Operation].ID] {
		return nil, nil, changed()
	}
	return options, done, nil
}

// Disagrees reports whether the note says something else than the sealed report
// of its id: the hash leaves it no freedom but in what it repeats beside the id,
// the operation and the options, and in what it says by being there: that the
// operation is done, within its limits. The note is verified by its author's key, the
// report is in his chain: both together show that he signed two statements that
// cannot both be so. Empty: they agree.
func (n Note) Disagrees(report Tx, routing []Operation) string {
	said := Note{}
	if err := said.fill(report, routing); err != nil {
		return "no note stands for this report: " + err.Error()
	}
	switch {
	case said.Operation != n.Operation:
		return "the note names another operation than the report"
	case !slices.Equal(said.Options, n.Options):
		return "the note offers the item to others than the report"
	}
	return ""
}
