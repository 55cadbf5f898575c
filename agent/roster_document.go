package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"traveler.example/ledger"
	"traveler.example/ledger/replica"
)

// Document shows the network as its directory has it.
func (n *Network) Document() RosterDocument { return rosterDocument(n.Genesis, n.Register) }

// Statements shows the roster statements of the network's directory.
func (n *Network) Statements() []StatementDocument { return statementDocuments(n.Register) }

// Roster implements [Desk].
func (d *desk) Roster(context.Context) (RosterDocument, error) {
	return rosterDocument(d.genesis, d.replica.Register()), nil
}

// Statements implements [Desk].
func (d *desk) Statements(context.Context) ([]StatementDocument, error) {
	return statementDocuments(d.replica.Register()), nil
}

func rosterDocument(g ledger.Genesis, register *ledger.Register) RosterDocument {
	r := register.Current()
	admins, threshold := r.Admins()
	doc := RosterDocument{
		Network: g.Name, NetworkID: g.Network().String(), Heads: r.Heads(),
		Statements: len(register.Statements()), Threshold: int(threshold), Contested: r.Contested(), Uncounted: r.Uncounted(),
	}
	for _, a := range admins {
		doc.Admins = append(doc.Admins, a.Name)
	}
	for _, i := range r.Identities() {
		doc.Identities = append(doc.Identities, IdentityLine{Name: i.Name, Key: i.ID, Roles: i.Roles.String(), Revoked: i.Revoked})
	}
	n := names{r}
	for _, as := range r.Assignments() {
		doc.Stations = append(doc.Stations, StationLine{Station: as.Station, WorkCentre: as.WorkCentre, Gateway: n.of(as.Gateway), Intake: as.Intake})
	}
	for _, x := range r.Doubled() {
		if x.Station != "" {
			doc.Doubled = append(doc.Doubled, "station "+x.Station)
		} else {
			doc.Doubled = append(doc.Doubled, "name "+x.Name)
		}
	}
	for _, t := range r.Tickets() {
		doc.Tickets = append(doc.Tickets, TicketLine{Name: t.Name, Code: t.Code, Station: t.Station, Redeemed: t.Redeemed, Revoked: t.Revoked})
	}
	return doc
}

func statementDocuments(register *ledger.Register) []StatementDocument {
	now := register.Current()
	uncounted, contested := now.Uncounted(), now.Contested()
	all := []StatementDocument{}
	for _, s := range register.Statements() {
		w := wordsAt(register, s.BuildsOn)
		doc := w.statement(s)
		doc.Hash, doc.Counts = s.Hash(), true
		switch {
		case slices.Contains(contested, s.Hash()):
			doc.Counts = false
			doc.Why = "another change of admins was made at the same time: neither applies until one that builds on both decides"
		case slices.Contains(uncounted, s.Hash()) && s.Redemption():
			doc.Counts, doc.Why = false, "its ticket does not count: it was signed by admins since replaced"
		case slices.Contains(uncounted, s.Hash()):
			doc.Counts, doc.Why = false, "it was signed by admins since replaced; it counts once a statement of the new ones builds on it"
		}
		all = append(all, doc)
	}
	return all
}

// words tells what statements say, in the names of the roster on which they
// build.
type words struct {
	names
	register *ledger.Register
}

func wordsAt(register *ledger.Register, on []ledger.Hash) words {
	r, err := register.At(on)
	if err != nil { // a draft on what is not held: the names known now
		r = register.Current()
	}
	return words{names{r}, register}
}

func (w words) statement(s ledger.Statement) StatementDocument {
	doc := StatementDocument{BuildsOn: s.BuildsOn, Time: s.Time, Changes: []string{}, Signed: []string{}}
	own := map[ledger.KeyID]string{}
	for _, c := range s.Changes {
		doc.Changes = append(doc.Changes, w.change(c, own))
		if !c.Key.IsZero() && c.Name != "" {
			own[c.Key.ID()] = c.Name
		}
	}
	for _, g := range s.Sigs {
		doc.Signed = append(doc.Signed, w.signer(s, g.Key))
	}
	return doc
}

// signer names who signed a statement.
func (w words) signer(s ledger.Statement, key ledger.KeyID) string {
	if s.Redemption() {
		if key == s.Changes[0].Subject {
			return "the ticket's code"
		}
		return "the board's key " + key.Short()
	}
	admins, _ := w.roster.Admins()
	for _, a := range admins {
		if a.Key.ID() == key {
			return a.Name
		}
	}
	if s.Changes[0].Kind == ledger.ChangeAdmins && len(s.Sigs) == 1 {
		return "the recovery key"
	}
	return key.Short()
}

func (w words) change(c ledger.Change, own map[ledger.KeyID]string) string {
	who := own[c.Subject]
	if who == "" {
		who = w.of(c.Subject)
	}
	switch c.Kind {
	case ledger.ChangeEnrol:
		return fmt.Sprintf("let in %s as %s (key %s)", c.Name, spaced(c.Roles), c.Key.ID().Short())
	case ledger.ChangeAssign:
		return fmt.Sprintf("give %s to %s", placeWords(c), who)
	case ledger.ChangeRevoke:
		return w.revocation(c, who)
	case ledger.ChangeAdmins:
		var admins []string
		for _, a := range c.Admins {
			admins = append(admins, a.Name)
		}
		return fmt.Sprintf("admins are from now on %s; %d of %d must sign", strings.Join(admins, ", "), c.Threshold, len(c.Admins))
	case ledger.ChangeParameter:
		return fmt.Sprintf("set %s to %d", c.Name, c.Value)
	case ledger.ChangeTicket:
		place := ""
		if c.Station != "" {
			place = " and " + placeWords(c)
		}
		return fmt.Sprintf("prepare a ticket for %s as %s%s (code key %s)", c.Name, spaced(c.Roles), place, c.Key.ID().Short())
	case ledger.ChangeRedeem:
		if t, ok := w.roster.Ticket(c.Subject); ok {
			return fmt.Sprintf("the ticket of %s is redeemed by a board (key %s)", t.Name, c.Key.ID().Short())
		}
		return fmt.Sprintf("a ticket is redeemed by a board (key %s)", c.Key.ID().Short())
	}
	return c.Kind.String()
}

func (w words) revocation(c ledger.Change, who string) string {
	if t, ok := w.roster.Ticket(c.Subject); ok {
		return fmt.Sprintf("revoke the ticket of %s; of its redemptions %d count", t.Name, len(c.Heads))
	}
	if i, ok := w.roster.Identity(c.Subject); ok && i.Roles&ledger.RoleGateway == 0 {
		return fmt.Sprintf("revoke %s (key %s)", who, c.Subject.Short())
	}
	if len(c.Heads) == 0 {
		return fmt.Sprintf("revoke %s (key %s); none of its blocks counts", who, c.Subject.Short())
	}
	var heads []string
	for _, h := range c.Heads {
		heads = append(heads, h.Short())
	}
	return fmt.Sprintf("revoke %s (key %s); its blocks count up to %s", who, c.Subject.Short(), strings.Join(heads, ", "))
}

func placeWords(c ledger.Change) string {
	place := "station " + c.Station
	if c.WorkCentre != "" {
		place += " of work centre " + c.WorkCentre
	}
	if c.Intake == 1 {
		place += ", with intake,"
	}
	return strings.TrimSuffix(place, ",")
}

func spaced(r ledger.Role) string { return strings.ReplaceAll(r.String(), ",", ", ") }

// Chain implements [Desk].
func (d *desk) Chain(_ context.Context, gateway string, keep []string) (ChainEnd, error) {
	var end ChainEnd
	err := d.replica.Read(func(v *replica.View) error {
		key, err := keyNamed(v, gateway)
		if err != nil {
			return err
		}
		end = ChainEnd{Gateway: names{v.Roster()}.of(key), Key: key, Heads: []ledger.Hash{}, Items: []ItemLine{}}
		if err := end.measure(v, keep); err != nil {
			return err
		}
		return end.gather(v)
	})
	return end, err
}

// measure finds which blocks held are no ancestors of the heads that stay.
func (end *ChainEnd) measure(v *replica.View, keep []string) error {
	heads, err := v.HeadsOf(end.Key)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if len(keep) == 0 {
			end.Heads = append(end.Heads, h.Hash)
		}
	}
	before := map[ledger.Hash][2]ledger.Hash{}
	for b, err := range v.Chain(end.Key, 1) {
		if err != nil {
			return err
		}
		before[b.Hash()] = [2]ledger.Hash{b.Header().Prev, b.Header().Also}
	}
	for _, word := range keep {
		h, err := blockNamed(before, end.Gateway, word)
		if err != nil {
			return err
		}
		end.Heads = append(end.Heads, h)
	}
	slices.SortFunc(end.Heads, func(a, b ledger.Hash) int { return slices.Compare(a[:], b[:]) })
	end.Heads = slices.Compact(end.Heads)
	counted := map[ledger.Hash]bool{}
	for open := slices.Clone(end.Heads); len(open) > 0; {
		h := open[len(open)-1]
		open = open[:len(open)-1]
		if links, held := before[h]; held && !counted[h] {
			counted[h] = true
			open = append(open, links[0], links[1])
		}
	}
	end.Held, end.Beyond = len(before), len(before)-len(counted)
	return nil
}

// blockNamed finds a block by its hash or the beginning of one. A whole hash need
// not be held here: another gateway may hold it.
func blockNamed(held map[ledger.Hash][2]ledger.Hash, gateway, word string) (ledger.Hash, error) {
	if h, err := ledger.ParseHash(word); err == nil {
		return h, nil
	}
	var found []ledger.Hash
	for h := range held {
		if len(word) >= 6 && strings.HasPrefix(h.String(), strings.ToLower(word)) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return ledger.Hash{}, fmt.Errorf("block %q of %s: %w: no block held of it begins so", word, gateway, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return ledger.Hash{}, fmt.Errorf("block %q of %s: %w: give the whole hash", word, gateway, ErrAmbiguous)
}

// gather lists what the gateway has in work.
func (end *ChainEnd) gather(v *replica.View) error {
	for _, as := range v.Roster().Assignments() {
		if as.Gateway != end.Key {
			continue
		}
		items, err := v.InWorkAt(as.Station)
		if err != nil {
			return err
		}
		for _, it := range items {
			if it.State().By != end.Key {
				continue
			}
			line, err := itemLine(v, it)
			if err != nil {
				return err
			}
			end.Items = append(end.Items, line)
		}
	}
	return nil
}
