package plant

import "slices"

// allows judges a statement by what it builds on alone (§9). It fills in what
// follows from the statement's place.
func (r *mRegister) allows(s *mSaid) bool {
	s.under = r.force(s.ancestry)
	ground := newModelRoster()
	for _, older := range r.inOrder(s.ancestry) {
		ground.say(older) // all, whether they count or not
	}
	if s.redeems() {
		return r.redemption(s, ground)
	}
	return r.signed(s) && r.changesHold(s, ground)
}

// signed: enough admins and nobody else, or the recovery key alone for changes
// of admins.
func (r *mRegister) signed(s *mSaid) bool {
	recovery := r.model.genesis.recovery
	if len(s.sigs) == 1 && s.sigs[0].str("key") == recovery.id() {
		s.recovery = true
		notAdmins := func(c mObject) bool { return c.num("kind") != 4 }
		return !slices.ContainsFunc(s.changes, notAdmins) && r.signedBy(s, recovery)
	}
	admins, threshold := r.adminsOf(s.under)
	var keys []mKey
	for _, a := range admins {
		keys = append(keys, a.key)
	}
	return len(s.sigs) >= threshold && r.signedBy(s, keys...)
}

// signedBy tells whether each signature is that of one of the keys.
func (r *mRegister) signedBy(s *mSaid, keys ...mKey) bool {
	for _, sig := range s.sigs {
		at := slices.IndexFunc(keys, func(k mKey) bool { return k.id() == sig.str("key") })
		if at < 0 || !r.model.verify(keys[at], s.signs, sig.str("sig")) {
			return false
		}
	}
	return true
}

func (r *mRegister) redemption(s *mSaid, ground *mRoster) bool {
	code, key := s.changes[0].str("subject"), modelKey(s.changes[0].obj("key"))
	tickets := ground.tickets[code]
	if len(tickets) == 0 {
		return false
	}
	t := tickets[len(tickets)-1]
	s.ticket = t.statement
	if t.key == key || len(s.sigs) != 2 || !r.signedBy(s, t.key, key) {
		return false
	}
	for bearer := range ground.names[t.name] {
		if bearer != code {
			return false
		}
	}
	return ground.revoked[code] == nil && ground.redeemed[code] == nil && ground.isNewKey(key) &&
		(t.station == "" || !ground.taken(t.station, key.id()))
}

// changesHold judges the changes in turn, each by the ground and those before.
func (r *mRegister) changesHold(s *mSaid, ground *mRoster) bool {
	given := map[string]string{} // station to gateway, by this statement
	free := func(station, gateway string) bool {
		former, twice := given[station]
		given[station] = gateway
		return !ground.taken(station, gateway) && (!twice || former == gateway)
	}
	turned := false
	for _, c := range s.changes {
		good := true
		switch c.num("kind") {
		case 1:
			good = ground.isNew(c)
		case 2:
			good = ground.has(c.str("subject"), roleGateway) && free(c.str("station"), c.str("subject"))
		case 3:
			subject := c.str("subject")
			good = ground.people[subject].name != "" || ground.tickets[subject] != nil
		case 4:
			recovery := func(a mAdmin) bool { return a.key == r.model.genesis.recovery }
			good = !turned && !slices.ContainsFunc(modelAdmins(c), recovery)
			turned = true
		case 6:
			good = ground.isNew(c) && (!c.has("station") || free(c.str("station"), modelKey(c.obj("key")).id()))
		}
		if !good {
			return false
		}
		ground.sayChange(s, c)
	}
	return true
}

// maxIdentities is a limit of §3.
const maxIdentities = 4096

// isNew: one name, one key, for ever.
func (r *mRoster) isNew(c mObject) bool {
	taken := len(r.tickets)
	for _, p := range r.people {
		if p.code == "" {
			taken++
		}
	}
	return r.names[c.str("name")] == nil && r.isNewKey(modelKey(c.obj("key"))) && taken < maxIdentities
}

func (r *mRoster) isNewKey(k mKey) bool {
	_, enrolled := r.people[k.id()]
	return !enrolled && r.tickets[k.id()] == nil
}

// taken tells whether another gateway that is not revoked has a station.
func (r *mRoster) taken(station, gateway string) bool {
	for _, a := range r.assigned {
		if a.station == station && a.gateway != gateway && !r.isRevoked(a.gateway) {
			return true
		}
	}
	return false
}
