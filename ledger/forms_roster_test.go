package ledger

import (
	"fmt"
	"reflect"
	"strings"
)

// repeat makes n things by their number.
func repeat[T any](n int, make func(i int) T) []T {
	out := []T{}
	for i := range n {
		out = append(out, make(i))
	}
	return out
}

func manyHashes(n int) []Hash {
	return repeat(n, func(i int) Hash { return Hash{byte(i >> 8), byte(i), 1} })
}

func longText(n int) string { return strings.Repeat("x", n) }

func (b *formBook) foundingForms() {
	b.genesis("genesis.version", "genesis.version = 2: this program knows protocol 1 only", func(g *Genesis) { g.Version = 2 })
	b.genesis("genesis.name", "genesis.name: is missing", func(g *Genesis) { g.Name = "" })
	b.genesis("genesis.name", `genesis.name = "a b": character 2`, func(g *Genesis) { g.Name = "a b" })
	b.genesis("genesis.name", "is longer than 64", func(g *Genesis) { g.Name = longText(65) })
	b.genesis("genesis.name", "", func(g *Genesis) { g.Name = longText(64) })
	b.genesis("genesis.time", "genesis.time = -1: lies before 1970", func(g *Genesis) { g.Time = -1 })
	b.genesis("genesis.time", "", func(g *Genesis) { g.Time = 0 })
	b.genesis("genesis.admins", "genesis.admins = 0: a network has 1 to 64 admins", func(g *Genesis) { g.Admins = nil })
	many := func(n int) func(*Genesis) {
		return func(g *Genesis) {
			g.Admins = repeat(n, func(i int) Admin {
				name := fmt.Sprintf("admin-%d", i)
				return Admin{Name: name, Key: plantKey(name)}
			})
			g.Threshold = uint8(n)
		}
	}
	b.genesis("genesis.admins", "", many(64))
	b.genesis("genesis.admins", "genesis.admins = 65", many(65))
	b.genesis("genesis.admins", `genesis.admins[1] = "ada": has the name or key of another`, func(g *Genesis) { g.Admins[1].Name = "ada" })
	b.genesis("genesis.admins", `genesis.admins[1] = "ben": has the name or key of another`, func(g *Genesis) { g.Admins[1].Key = g.Admins[0].Key })
	b.genesis("admin.name", "genesis.admins[0].name: is missing", func(g *Genesis) { g.Admins[0].Name = "" })
	b.genesis("admin.key", "genesis.admins[0]: key.alg = 0: unknown signature algorithm", func(g *Genesis) { g.Admins[0].Key = PublicKey{} })
	b.genesis("genesis.threshold", "genesis.threshold = 1: of 3 admins more than half", func(g *Genesis) { g.Threshold = 1 })
	b.genesis("genesis.threshold", "genesis.threshold = 4: of 3 admins", func(g *Genesis) { g.Threshold = 4 })
	b.genesis("genesis.recovery", "is an admin's key", func(g *Genesis) { g.Recovery = g.Admins[0].Key })
	b.genesis("genesis.recovery", "genesis.recovery: key.alg = 3", func(g *Genesis) { g.Recovery.Alg = 3 })
	b.genesis("public key.alg", "key.alg = 3: unknown signature algorithm: 1 is Ed25519, 2 is RSA", func(g *Genesis) { g.Admins[0].Key.Alg = 3 })
	b.genesis("public key.bytes", "key.bytes = \"32 bytes\": an RSA modulus has 2048, 3072 or 4096 bits", func(g *Genesis) { g.Admins[0].Key.Alg = 2 })
	b.genesis("public key.bytes", "", func(g *Genesis) { g.Admins[0].Key = plantKey("wulf-4096") })
	b.genesis("public key.bytes", "key.bytes = 0102: an Ed25519 public key has 32 bytes", func(g *Genesis) { g.Recovery.Bytes = []byte{1, 2} })

	b.statement("statement.version", "statement.version = 0: this program", func(s *Statement) { s.Version = 0 })
	b.statement("statement.builds_on", "builds_on = 17: has more than 16", func(s *Statement) { s.BuildsOn = manyHashes(17) })
	b.statement("statement.builds_on", "", func(s *Statement) { s.BuildsOn = manyHashes(16) })
	b.statement("statement.builds_on", "builds_on[0] = \"00000000\": is all zero", func(s *Statement) { s.BuildsOn = []Hash{{}} })
	b.statement("statement.builds_on", "builds_on[1] = \"00000100\": is named twice", func(s *Statement) { s.BuildsOn = []Hash{{0, 0, 1}, {0, 0, 1}} })
	b.statement("statement.builds_on", "builds_on[1] = \"01000000\": is out of order", func(s *Statement) { s.BuildsOn = []Hash{{2}, {1}} })
	b.statement("statement.changes", "statement.changes = 0: a statement has 1 to 1024", func(s *Statement) { s.Changes = nil })
	parameters := func(n int) func(*Statement) {
		return func(s *Statement) {
			s.Changes = repeat(n, func(int) Change { return Change{Kind: ChangeParameter, Name: "p"} })
		}
	}
	b.statement("statement.changes", "", parameters(1024))
	b.statement("statement.changes", "statement.changes = 1025", parameters(1025))
	b.statement("statement.changes", "changes[1] = redeem: a redemption stands alone", func(s *Statement) {
		s.Changes = append(s.Changes[:1:1], Change{Kind: ChangeRedeem, Subject: plantID("code"), Key: plantKey("saw")})
	})
	b.statement("statement.time", "statement.time = -5: lies before 1970", func(s *Statement) { s.Time = -5 })
	b.statement("statement.time", "", func(s *Statement) { s.Time = 0 })
	sigs := func(n int) func(*Statement) {
		return func(s *Statement) {
			s.Sigs = repeat(n, func(i int) StatementSig { return StatementSig{Key: KeyID{byte(i)}, Sig: []byte{1}} })
		}
	}
	b.statement("statement.sigs", "statement.sigs = 0: a statement has 1 to 65", sigs(0))
	b.statement("statement.sigs", "", sigs(65))
	b.statement("statement.sigs", "statement.sigs = 66", sigs(66))
	b.statement("statement.sigs", "sigs[1] = ", func(s *Statement) { s.Sigs[1] = s.Sigs[0] })
	b.statement("statement signature.sig", "sigs[0] = 0: a signature has 1 to 512", func(s *Statement) { s.Sigs[0].Sig = []byte{} })
	b.statement("statement signature.sig", "", func(s *Statement) { s.Sigs[0].Sig = make([]byte, 512) })
	b.statement("statement signature.sig", "sigs[0] = 513", func(s *Statement) { s.Sigs[0].Sig = make([]byte, 513) })
	b.statement("statement.changes", "statement = \"", func(s *Statement) { s.Sigs = sized(MaxStatement) })
}

// sized are signatures that are too many bytes.
func sized(n int) []StatementSig {
	return repeat(n/500+1, func(i int) StatementSig { return StatementSig{Key: KeyID{byte(i)}, Sig: make([]byte, 500)} })
}

func (b *formBook) changeForms() {
	full := Change{
		Name: "n", Key: plantKey("x"), Roles: RoleGateway, Subject: plantID("gate"), Station: "s", WorkCentre: "w", Intake: 1,
		Heads: manyHashes(1), Admins: []Admin{{Name: "a", Key: plantKey("a")}}, Threshold: 1, Value: 1,
	}
	// Each kind of change in each field: missing where it must stand, refused
	// where it does not belong.
	for kind, fields := range fieldsOf {
		only := Change{Kind: kind}
		from, to := reflect.ValueOf(full), reflect.ValueOf(&only).Elem()
		for _, f := range fields.must {
			setField(to, from, f)
		}
		b.change("change."+fields.must[0], "", only)
		for i := 1; i < from.NumField(); i++ {
			name := snake(from.Type().Field(i).Name)
			changed := only
			if contains(fields.must, name) {
				reflect.ValueOf(&changed).Elem().Field(i).SetZero()
				b.change("change."+name, fmt.Sprintf("changes[0].%s: is missing in %q", name, kind), changed)
				continue
			}
			setField(reflect.ValueOf(&changed).Elem(), from, name)
			if !contains(fields.may, name) {
				b.change("change."+name, fmt.Sprintf("changes[0].%s: does not belong in %q", name, kind), changed)
			}
		}
	}
	b.change("change.kind", "changes[0].kind = change 0: unknown change", Change{Kind: 0, Name: "n"})
	b.change("change.kind", "changes[0].kind = change 8: unknown change", Change{Kind: 8, Name: "n"})
	b.change("change.name", "is longer than 64", Change{Kind: ChangeParameter, Name: longText(65)})
	b.change("change.name", "", Change{Kind: ChangeParameter, Name: longText(64)})
	enrol := Change{Kind: ChangeEnrol, Name: "n", Key: plantKey("x"), Roles: 256}
	b.change("change.roles", "changes[0].roles = 256: has an unknown role", enrol)
	enrol.Roles, enrol.Key.Alg = 255, 9
	b.change("change.key", "statement.changes[0]: key.alg = 9", enrol)
	enrol.Key.Alg = Ed25519
	b.change("change.roles", "", enrol)
	assign := Change{Kind: ChangeAssign, Subject: plantID("gate"), Station: "a b"}
	b.change("change.station", `changes[0].station = "a b"`, assign)
	assign.Station, assign.WorkCentre = longText(96), "<"
	b.change("change.work_centre", `changes[0].work_centre = "<"`, assign)
	assign.WorkCentre = longText(96)
	b.change("change.work_centre", "", assign)
	assign.Intake = 2
	b.change("change.intake", "changes[0].intake = 2: is 0 or 1", assign)
	ticket := Change{Kind: ChangeTicket, Name: "n", Key: plantKey("x"), Roles: RoleOperator, WorkCentre: "w"}
	b.change("change.station", "changes[0].station: is missing: work centre and intake belong to a station", ticket)
	ticket.Station = "s"
	b.change("change.roles", "changes[0].roles = operator: a station is assigned to a gateway", ticket)
	revoke := Change{Kind: ChangeRevoke, Subject: plantID("gate"), Heads: manyHashes(256)}
	b.change("change.heads", "", revoke)
	revoke.Heads = manyHashes(257)
	b.change("change.heads", "changes[0].heads = 257: has more than 256", revoke)
	revoke.Heads = []Hash{{2}, {1}}
	b.change("change.heads", "changes[0].heads[1] = \"01000000\": is out of order", revoke)
	b.change("change.threshold", "statement.changes[0].threshold = 2: of 1 admins", Change{Kind: ChangeAdmins, Admins: full.Admins, Threshold: 2})
	b.change("change.admins", "statement.changes[0].admins[0].name", Change{Kind: ChangeAdmins, Admins: []Admin{{Key: plantKey("a")}}, Threshold: 1})
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func setField(to, from reflect.Value, name string) {
	for i := range from.NumField() {
		if snake(from.Type().Field(i).Name) == name {
			to.Field(i).Set(from.Field(i))
		}
	}
}

func (b *formBook) txForms() {
	b.tx("transaction.version", "transaction.version = 3: this program knows protocol 1 only", func(w *txWire) { w.Version = 3 })
	b.tx("transaction.kind", "transaction.kind = 0: kinds start at 1", func(w *txWire) { w.Kind = 0 })
	b.tx("transaction.sender", "verdict.sender: is missing", func(w *txWire) { w.Sender = KeyID{} })
	b.tx("transaction.time", "verdict.time = -1: lies before 1970", func(w *txWire) { w.Time = -1 })
	b.tx("transaction.time", "", func(w *txWire) { w.Time = 0 })
	b.tx("transaction.clock", "verdict.clock = 2: is 0 (not synchronised) or 1", func(w *txWire) { w.Clock = 2 })
	b.tx("transaction.item", `verdict.item = "00000000": is needed in every kind but order and intake`, func(w *txWire) { w.Item = ItemID{} })
	b.tx("transaction.item", "order.item", func(w *txWire) { w.Kind, w.After, w.Body = KindOrder, nil, encode(plantOrder()) })
	b.tx("transaction.after", "verdict.after = 0: continues 1 to 1 heads", func(w *txWire) { w.After = nil })
	b.tx("transaction.after", "verdict.after = 2: continues 1 to 1 heads", func(w *txWire) { w.After = manyHashes(2) })
	b.tx("transaction.after", "verdict.after[0] = \"00000000\": is all zero", func(w *txWire) { w.After = []TxID{{}} })
	b.tx("transaction.after", "verdict.after[1] = \"01000000\": is named twice", func(w *txWire) { w.After = []TxID{{1}, {1}} })
	b.tx("transaction.about", "verdict.about = 1: speaks of 0 to 0", func(w *txWire) { w.About = manyHashes(1) })
	b.tx("transaction.operators", "verdict.operators = 3: has more than 2", func(w *txWire) { w.Operators = []KeyID{{1}, {2}, {3}} })
	b.tx("transaction.operators", `verdict.operators[1] = "01000000": is zero or named twice`, func(w *txWire) { w.Operators = []KeyID{{1}, {1}} })
	b.tx("transaction.operators", `verdict.operators[0] = "00000000": is zero or named twice`, func(w *txWire) { w.Operators = []KeyID{{}} })
	b.tx("transaction.body", "verdict: is empty", func(w *txWire) { w.Body = nil })
	b.tx("transaction.body", "verdict: cannot be read", func(w *txWire) { w.Body = []byte{0xff} })
	b.tx("transaction.sig", "verdict.sig = 513: a signature has at most 512", func(w *txWire) { w.Sig = make([]byte, 513) })
	b.tx("transaction.sig", "", func(w *txWire) { w.Sig = make([]byte, 512) })
	heads := func(kind Kind, n int, body Body) func(*txWire) {
		return func(w *txWire) { w.Kind, w.After, w.Body = kind, manyHashes(n), encode(body) }
	}
	for _, body := range []Body{Disposition{Ruling: Scrap, Reason: "x"}, Withdraw{Target: Hash{1}}} {
		b.tx("transaction.after", "", heads(body.Kind(), 16, body))
		b.tx("transaction.after", "after = 17: has more than 16", heads(body.Kind(), 17, body))
		b.tx("transaction.after", "after = 0: continues 1 to 16", heads(body.Kind(), 0, body))
	}
	about := func(kind Kind, n int, body Body) func(*txWire) {
		return func(w *txWire) { w.Kind, w.After, w.About, w.Body = kind, nil, manyHashes(n), encode(body) }
	}
	b.tx("transaction.about", "amend.about = 0: speaks of 1 to 1", about(KindAmend, 0, Amend{Note: "x", Reason: "x"}))
	b.tx("transaction.about", "bind.about = 2: speaks of 0 to 1", about(KindBind, 2, Bind{Tags: []string{"T"}}))
	b.tx("transaction.about", "", about(KindBind, 0, Bind{Tags: []string{"T"}}))
	b.tx("transaction.about", "misroute.about = 1", about(KindMisroute, 1, Misroute{Station: "x"}))
	unknown := func(n, m int) func(*txWire) {
		return func(w *txWire) {
			w.Kind, w.After, w.About, w.Body = 255, manyHashes(n), manyHashes(m), []byte("opaque")
		}
	}
	b.tx("transaction.after", "", unknown(16, 16))
	b.tx("transaction.after", "kind-255.after = 17: has more than 16", unknown(17, 0))
	b.tx("transaction.about", "kind-255.about = 17: has more than 16", unknown(0, 17))
	fill := func(n int) func(*txWire) {
		return func(w *txWire) {
			w.Kind, w.Body = 255, nil
			w.Body = make([]byte, n-len(encode(*w))-2) // its length takes two bytes more
		}
	}
	b.tx("transaction.body", "", fill(MaxTx))
	b.tx("transaction.body", `transaction = "8193 bytes": is larger than 8192 bytes`, fill(MaxTx+1))
}
