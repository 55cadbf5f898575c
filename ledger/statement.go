package ledger

import (
	"bytes"
	"crypto"
	"fmt"
	"sort"
	"strings"
)

// Role is what an identity may do; an identity has a set of them as bits.
type Role uint16

// The roles of protocol 1.
const (
	RoleGateway  Role = 1 << iota // seals blocks
	RoleWitness                   // signs frontiers that count for confirmation
	RoleOperator                  // signs off work with a badge
	RolePlanner                   // issues orders
	RoleQuality                   // rules on nonconforming items
	RoleAdmin                     // reserved: admins are named by genesis and statements
	RoleClient                    // reserved for shipments
	RoleAuditor                   // reads everything, writes nothing
	rolesKnown   = RoleAuditor<<1 - 1
)

var roleNames = [...]string{"gateway", "witness", "operator", "planner", "quality", "admin", "client", "auditor"}

// String lists the role names, comma separated.
func (r Role) String() string {
	var names []string
	for i, n := range roleNames {
		if r&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// ParseRole returns the role of that name.
func ParseRole(name string) (Role, error) {
	for i, n := range roleNames {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("role %q: known roles are %s", name, strings.Join(roleNames[:], ", "))
}

// ChangeKind says what a change of the roster does.
type ChangeKind uint8

// The changes of protocol 1.
const (
	ChangeEnrol     ChangeKind = 1 // name, key, roles
	ChangeAssign    ChangeKind = 2 // subject (a gateway), station, work centre?, intake?
	ChangeRevoke    ChangeKind = 3 // subject, heads that still count
	ChangeAdmins    ChangeKind = 4 // admins, threshold
	ChangeParameter ChangeKind = 5 // name, value
	ChangeTicket    ChangeKind = 6 // name, key (of the one-time code), roles, station?, work centre?, intake?
	ChangeRedeem    ChangeKind = 7 // subject (key id of the code), key (the board's own)
)

// String names the change as the CLI shows it.
func (k ChangeKind) String() string {
	names := [...]string{"", "enrol", "assign", "revoke", "admins", "parameter", "ticket", "redeem"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("change %d", uint8(k))
}

// Change is one line of a statement. Which fields a kind has, stands at the
// kind; all others are absent.
type Change struct {
	Kind       ChangeKind `cbor:"1,keyasint"`
	Name       string     `cbor:"2,keyasint,omitempty"`
	Key        PublicKey  `cbor:"3,keyasint,omitzero"`
	Roles      Role       `cbor:"4,keyasint,omitzero"`
	Subject    KeyID      `cbor:"5,keyasint,omitzero"`
	Station    string     `cbor:"6,keyasint,omitempty"`
	WorkCentre string     `cbor:"7,keyasint,omitempty"`
	Intake     uint8      `cbor:"8,keyasint,omitzero"` // 1: the station takes items in
	Heads      []Hash     `cbor:"9,keyasint,omitempty"`
	Admins     []Admin    `cbor:"10,keyasint,omitempty"`
	Threshold  uint8      `cbor:"11,keyasint,omitzero"`
	Value      int64      `cbor:"12,keyasint,omitzero"`
}

// IsZero reports whether the key is absent.
func (k PublicKey) IsZero() bool { return k.Alg == 0 && len(k.Bytes) == 0 }

// StatementSig is one signature under a statement.
type StatementSig struct {
	_   struct{} `cbor:",toarray"`
	Key KeyID
	Sig []byte
}

// Statement changes the roster. It builds on earlier statements by hash (none:
// on genesis) and is signed by the admins in force there, a redemption by the
// one-time code and the board's own key.
type Statement struct {
	Version  uint8          `cbor:"1,keyasint"`
	BuildsOn []Hash         `cbor:"2,keyasint,omitempty"`
	Changes  []Change       `cbor:"3,keyasint"`
	Time     int64          `cbor:"4,keyasint"` // ms since 1970 UTC: evidence, never a rule
	Sigs     []StatementSig `cbor:"5,keyasint,omitempty"`

	raw  []byte
	hash Hash
}

// Raw returns the bytes as they were parsed or made.
func (s Statement) Raw() []byte { return s.raw }

// Hash names the statement, signatures included.
func (s Statement) Hash() Hash { return s.hash }

// Redemption reports whether s is a board's redemption of a ticket.
func (s Statement) Redemption() bool {
	return len(s.Changes) == 1 && s.Changes[0].Kind == ChangeRedeem
}

// SignStatement makes a statement: it sorts what it builds on, signs with every
// signer and fixes the bytes.
func SignStatement(net NetworkID, s Statement, signers ...crypto.Signer) (Statement, error) {
	s.Version, s.Sigs = Version, nil
	s.BuildsOn = append([]Hash(nil), s.BuildsOn...)
	sort.Slice(s.BuildsOn, func(i, j int) bool { return bytes.Compare(s.BuildsOn[i][:], s.BuildsOn[j][:]) < 0 })
	d := s.sigDigest(net)
	for _, signer := range signers {
		pub, err := PublicKeyOf(signer)
		if err != nil {
			return Statement{}, err
		}
		sig, err := sign(signer, d)
		if err != nil {
			return Statement{}, err
		}
		s.Sigs = append(s.Sigs, StatementSig{Key: pub.ID(), Sig: sig})
	}
	sort.Slice(s.Sigs, func(i, j int) bool { return bytes.Compare(s.Sigs[i].Key[:], s.Sigs[j].Key[:]) < 0 })
	return ParseStatement(net, encode(s))
}

// ParseStatement reads a statement and checks its form; whether it is signed by
// those who may is Register's to judge.
func ParseStatement(net NetworkID, raw []byte) (Statement, error) {
	var s Statement
	if err := decode("statement", raw, MaxStatement, &s); err != nil {
		return Statement{}, err
	}
	if err := s.check(); err != nil {
		return Statement{}, err
	}
	s.raw = append([]byte(nil), raw...)
	s.hash = digest(labelStatement, net, s.raw)
	return s, nil
}

// sigDigest covers everything but the signatures.
func (s Statement) sigDigest(net NetworkID) Hash {
	s.Sigs = nil
	return digest(labelStatementSig, net, encode(s))
}

func (s Statement) check() error {
	if s.Version != Version {
		return refuse("statement", "version", s.Version, "this program knows protocol %d only", Version)
	}
	if err := checkSorted("statement", "builds_on", s.BuildsOn, MaxRosterHeads); err != nil {
		return err
	}
	if s.Time < 0 {
		return refuse("statement", "time", s.Time, "lies before 1970")
	}
	if len(s.Changes) == 0 || len(s.Changes) > 1024 {
		return refuse("statement", "changes", len(s.Changes), "a statement has 1 to 1024 changes")
	}
	for i, c := range s.Changes {
		if err := c.check(fmt.Sprintf("changes[%d]", i)); err != nil {
			return err
		}
		if c.Kind == ChangeRedeem && len(s.Changes) > 1 {
			return refuse("statement", fmt.Sprintf("changes[%d]", i), c.Kind, "a redemption stands alone in its statement")
		}
	}
	if len(s.Sigs) == 0 || len(s.Sigs) > 65 {
		return refuse("statement", "sigs", len(s.Sigs), "a statement has 1 to 65 signatures")
	}
	for i, g := range s.Sigs {
		if len(g.Sig) == 0 || len(g.Sig) > 512 {
			return refuse("statement", fmt.Sprintf("sigs[%d]", i), len(g.Sig), "a signature has 1 to 512 bytes")
		}
		if i > 0 && bytes.Compare(s.Sigs[i-1].Key[:], g.Key[:]) >= 0 {
			return refuse("statement", fmt.Sprintf("sigs[%d]", i), g.Key.Short(), "is out of order or repeated: signatures are sorted by key")
		}
	}
	return nil
}

// fieldsOf lists, for each kind of change, which fields it must and may have.
var fieldsOf = map[ChangeKind]struct{ must, may []string }{
	ChangeEnrol:     {must: []string{"name", "key", "roles"}},
	ChangeAssign:    {must: []string{"subject", "station"}, may: []string{"work_centre", "intake"}},
	ChangeRevoke:    {must: []string{"subject"}, may: []string{"heads"}},
	ChangeAdmins:    {must: []string{"admins", "threshold"}},
	ChangeParameter: {must: []string{"name"}, may: []string{"value"}},
	ChangeTicket:    {must: []string{"name", "key", "roles"}, may: []string{"station", "work_centre", "intake"}},
	ChangeRedeem:    {must: []string{"subject", "key"}},
}

func (c Change) present() map[string]bool {
	return map[string]bool{
		"name": c.Name != "", "key": !c.Key.IsZero(), "roles": c.Roles != 0, "subject": !c.Subject.IsZero(),
		"station": c.Station != "", "work_centre": c.WorkCentre != "", "intake": c.Intake != 0, "heads": len(c.Heads) > 0,
		"admins": len(c.Admins) > 0, "threshold": c.Threshold != 0, "value": c.Value != 0,
	}
}

func (c Change) check(at string) error {
	want, ok := fieldsOf[c.Kind]
	if !ok {
		return refuse("statement", at+".kind", c.Kind, "unknown change")
	}
	present := c.present()
	for _, f := range want.must {
		if !present[f] {
			return refuse("statement", at+"."+f, nil, "is missing in %q", c.Kind)
		}
		delete(present, f)
	}
	for _, f := range want.may {
		delete(present, f)
	}
	for _, f := range [...]string{"name", "key", "roles", "subject", "station", "work_centre", "intake", "heads", "admins", "threshold", "value"} {
		if present[f] {
			return refuse("statement", at+"."+f, nil, "does not belong in %q", c.Kind)
		}
	}
	return c.checkValues(at)
}

func (c Change) checkValues(at string) error {
	if c.Name != "" {
		if err := checkName("statement", at+".name", c.Name); err != nil {
			return err
		}
	}
	for _, id := range [...]struct{ field, value string }{{"station", c.Station}, {"work_centre", c.WorkCentre}} {
		if err := checkOptionalID("statement", at+"."+id.field, id.value); err != nil {
			return err
		}
	}
	if !c.Key.IsZero() {
		if err := c.Key.Check(); err != nil {
			return fmt.Errorf("statement.%s: %w", at, err)
		}
	}
	if c.Roles&^rolesKnown != 0 {
		return refuse("statement", at+".roles", uint16(c.Roles), "has an unknown role")
	}
	if c.Intake > 1 {
		return refuse("statement", at+".intake", c.Intake, "is 0 or 1")
	}
	if c.Station == "" && (c.WorkCentre != "" || c.Intake != 0) {
		return refuse("statement", at+".station", nil, "is missing: work centre and intake belong to a station")
	}
	if c.Station != "" && c.Kind == ChangeTicket && c.Roles&RoleGateway == 0 {
		return refuse("statement", at+".roles", c.Roles, "a station is assigned to a gateway")
	}
	if err := checkSorted("statement", at+".heads", c.Heads, 256); err != nil {
		return err
	}
	if c.Kind == ChangeAdmins {
		return checkAdmins("statement."+at, c.Admins, c.Threshold)
	}
	return nil
}
