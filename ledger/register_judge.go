package ledger

import (
	"fmt"
	"slices"
)

// judgeStatement holds a statement to PROTOCOL.md §9. It looks at the statement
// and at what it builds on, never at what else is held: its verdict is final
// and the same everywhere.
func judgeStatement(g Genesis, s Statement, parents []*entry) (*entry, error) {
	h := &entry{Statement: s, parents: parents, depth: 1, effects: s.Changes}
	for _, p := range parents {
		h.depth = max(h.depth, p.depth+1)
	}
	h.under, h.turns = forceAt(parents)
	h.after = h.under
	// Signatures first: a stranger shall not make anybody join closures.
	if err := h.checkSigned(g); err != nil {
		return nil, err
	}
	r := reading{state: allOf(parents), recovery: g.Recovery, stations: map[string]KeyID{}}
	if err := r.read(h); err != nil {
		return nil, err
	}
	h.all = r.state
	if h.isTurn() {
		h.turns = union(h.turns, []*entry{h}, compareEntries)
		h.after = force{recovery: h.under.recovery, turn: h}
		if h.recovery {
			h.after.recovery = h
		}
	}
	return h, nil
}

func (h *entry) checkSigned(g Genesis) error {
	d := h.sigDigest(g.Network())
	switch {
	case h.Redemption():
		return h.checkRedeemer(d)
	case len(h.Sigs) == 1 && h.Sigs[0].Key == g.Recovery.ID():
		return h.checkRecovery(g, d)
	}
	admins, threshold := g.Admins, g.Threshold
	if h.under.turn != nil {
		admins, threshold = h.under.turn.admins()
	}
	keys := make(map[KeyID]PublicKey, len(admins))
	for _, a := range admins {
		keys[a.Key.ID()] = a.Key
	}
	if err := h.checkSigs(d, keys, "no admin where this statement builds: only admins in force there sign it"); err != nil {
		return err
	}
	if len(h.Sigs) < int(threshold) {
		return refuse("statement", "sigs", len(h.Sigs), "%d of the %d admins in force must sign", threshold, len(admins))
	}
	return nil
}

func (h *entry) checkRecovery(g Genesis, d Hash) error {
	h.recovery = true
	for i, c := range h.Changes {
		if c.Kind != ChangeAdmins {
			return refuse("statement", fmt.Sprintf("changes[%d]", i), c.Kind, "the recovery key alone changes admins and nothing else")
		}
	}
	return h.checkSigs(d, map[KeyID]PublicKey{g.Recovery.ID(): g.Recovery}, "")
}

func (h *entry) checkRedeemer(d Hash) error {
	redeem := h.Changes[0]
	var t ticket
	for _, p := range h.parents {
		if o, ok := p.all.ticket(redeem.Subject); ok && (t.at.depth == 0 || o.at.compare(t.at) > 0) {
			t = o
		}
	}
	if t.at.depth == 0 {
		return refuse("statement", "changes[0].subject", redeem.Subject, "is no ticket's code where this statement builds: a redemption builds on its ticket")
	}
	keys := map[KeyID]PublicKey{redeem.Subject: t.Key, redeem.Key.ID(): redeem.Key}
	if err := h.checkSigs(d, keys, "neither the ticket's code nor the board's new key"); err != nil {
		return err
	}
	if len(keys) != 2 || len(h.Sigs) != 2 {
		return refuse("statement", "sigs", len(h.Sigs), "a redemption is signed by the ticket's code and by the board's new key")
	}
	h.ticket = t.at.hash
	h.effects = []Change{redeem, {Kind: ChangeEnrol, Name: t.Name, Key: redeem.Key, Roles: t.Roles, Subject: redeem.Subject}}
	if t.Station != "" {
		h.effects = append(h.effects, Change{
			Kind: ChangeAssign, Subject: redeem.Key.ID(), Station: t.Station, WorkCentre: t.WorkCentre, Intake: t.Intake,
		})
	}
	return nil
}

// checkSigs verifies every signature; that signers are distinct, form demands.
func (h *entry) checkSigs(d Hash, keys map[KeyID]PublicKey, stranger string) error {
	for i, s := range h.Sigs {
		key, ok := keys[s.Key]
		if !ok {
			return refuse("statement", fmt.Sprintf("sigs[%d]", i), s.Key.Short(), "%s", stranger)
		}
		if err := key.verify(d, s.Sig); err != nil {
			return fmt.Errorf("statement.sigs[%d] of %s: %w", i, s.Key.Short(), err)
		}
	}
	return nil
}

// reading goes through a statement's changes, each judged by what the statement
// builds on and the changes before it.
type reading struct {
	state
	recovery PublicKey
	stations map[string]KeyID // given by this statement, to a gateway or the code of one to come
	turned   bool
}

func (r *reading) read(h *entry) error {
	for i, c := range h.Changes {
		if err := r.allow(fmt.Sprintf("changes[%d]", i), c); err != nil {
			return err
		}
		if !h.Redemption() {
			r.state = r.join(stamp{h.depth, h.hash, i}, c)
		}
	}
	if h.Redemption() {
		r.state = r.with(h)
	}
	return nil
}

func (r *reading) allow(at string, c Change) error {
	switch c.Kind {
	case ChangeEnrol:
		return r.newcomer(at, c)
	case ChangeTicket:
		if err := r.newcomer(at, c); err != nil || c.Station == "" {
			return err
		}
		return r.free(at, c.Station, c.Key.ID())
	case ChangeAssign:
		return r.assign(at, c)
	case ChangeRevoke:
		if !r.people.has(treeKey(c.Subject)) && !r.tickets.has(treeKey(c.Subject)) {
			return refuse("statement", at+".subject", c.Subject, "is not enrolled: only identities and tickets are revoked")
		}
	case ChangeAdmins:
		return r.admins(at, c)
	case ChangeRedeem:
		return r.redeem(at, c)
	}
	return nil
}

// newcomer: one name, one key, for ever; what was revoked never comes back.
func (r *reading) newcomer(at string, c Change) error {
	if r.names.has(c.Name) {
		return refuse("statement", at+".name", c.Name, "has been given before: one name, one key, for ever; choose another name")
	}
	if err := r.newKey(at, c.Key); err != nil {
		return err
	}
	if n := r.identities(); n >= MaxIdentities {
		return refuse("statement", at, n, "a network has at most %d identities, revoked ones and open tickets included", MaxIdentities)
	}
	return nil
}

func (r *reading) newKey(at string, key PublicKey) error {
	id := key.ID()
	if r.people.has(treeKey(id)) || r.tickets.has(treeKey(id)) {
		return refuse("statement", at+".key", id, "has been enrolled before: one name, one key, for ever; make a new key")
	}
	return nil
}

func (r *reading) assign(at string, c Change) error {
	e, ok := r.people.get(treeKey(c.Subject))
	switch {
	case !ok:
		return refuse("statement", at+".subject", c.Subject, "is not enrolled: a station is assigned to a gateway of the roster")
	case e.roles&RoleGateway == 0:
		return refuse("statement", at+".subject", e.name, "is no gateway but %s", e.roles)
	case r.isRevoked(c.Subject):
		return refuse("statement", at+".subject", e.name, "is revoked")
	}
	return r.free(at, c.Station, c.Subject)
}

// free: a station moves only together with the revocation of its former gateway.
func (r *reading) free(at, station string, gateway KeyID) error {
	if former, taken := r.takenBy(station, gateway); taken {
		return refuse("statement", at+".station", station, "is given to %s: revoke that gateway in this statement, before giving its station away", former)
	}
	if other, given := r.stations[station]; given && other != gateway {
		return refuse("statement", at+".station", station, "is given to two gateways by this statement")
	}
	r.stations[station] = gateway
	return nil
}

func (r *reading) admins(at string, c Change) error {
	if r.turned {
		return refuse("statement", at, c.Kind, "a statement changes the admins once")
	}
	r.turned = true
	for i, a := range c.Admins {
		if a.Key.Equal(r.recovery) {
			return refuse("statement", fmt.Sprintf("%s.admins[%d]", at, i), a.Name, "has the recovery key: that is kept apart from the admins")
		}
	}
	return nil
}

func (r *reading) redeem(at string, c Change) error {
	t, _ := r.ticket(c.Subject) // checkRedeemer has found it
	if r.revoked.has(treeKey(c.Subject)) {
		return refuse("statement", at+".subject", t.Name, "the ticket is revoked: ask for a new one")
	}
	if by := r.redeemed.value(treeKey(c.Subject)); len(by) > 0 {
		return refuse("statement", at+".subject", c.Subject, "the ticket of %s has been redeemed by %s", t.Name, by[0])
	}
	if slices.ContainsFunc(r.names.value(t.Name), func(id KeyID) bool { return id != c.Subject }) {
		return refuse("statement", at+".subject", t.Name, "the name has been given to another key meanwhile: ask for a new ticket")
	}
	if err := r.newKey(at, c.Key); err != nil || t.Station == "" {
		return err
	}
	return r.free(at, t.Station, c.Key.ID())
}
