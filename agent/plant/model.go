package plant

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Model is a second implementation of the ledger's rules, written from
// ledger/PROTOCOL.md alone and sharing no code with package ledger. It is slow
// and obvious: it keeps the bytes that it was given and, when asked, works all
// shared views out again from nothing. A replica that holds the same blocks and
// statements must say the same (guarantee 1); where the two differ, one of them,
// or the text, is wrong.
//
// A Model is used by one goroutine at a time. Signatures once checked are
// remembered; nothing else is.
type Model struct {
	net        [32]byte
	genesis    mGenesis
	blocks     map[string]*mBlock // by hash
	statements map[string]*mStatement
	sigs       map[string]bool // by key, digest and signature
}

// ModelViews are the shared views in words. All ids and hashes are lower-case
// hexadecimal; a block is named "author/height/hash", a placement
// "author/height/hash/index"; lists are sorted unless said otherwise.
type ModelViews struct {
	// Items that have a valid transaction, counted or not, by item id.
	Items map[string]ModelItem
	// Placements held, by place: "valid", "again", "void", "waiting",
	// "carried", and " uncounted" behind it in a block that does not count.
	Placements map[string]string
	// Voids are the reasons (PROTOCOL.md §6) of the void placements.
	Voids map[string]string
	// Evidence: per author of whom two blocks of one height are held, those of
	// the lowest such height: "author/height hash hash".
	Evidence []string
	// Uncounted are the blocks held that a revocation leaves out.
	Uncounted []string
	// Tags in force: the open items of each.
	Tags map[string][]string
	// Roster is the roster in force, of all statements held.
	Roster ModelRoster
}

// ModelItem is one item with all its nodes.
type ModelItem struct {
	// Label, Product and Lot are those of the intake.
	Label, Product, Lot string
	// Heads are the transactions that are heads.
	Heads []string
	// Nodes tells by transaction what it made of this item:
	// "expected task/operation/place …", "in work key station/operation/task",
	// "nonconforming [options]", "finished", "scrapped", "consumed item". Behind
	// it stands " order hash", " rests" and " uncounted" where they are so.
	Nodes map[string]string
	// Tags bound to it that no counted bind supersedes, closed or not.
	Tags []string
}

// ModelRoster is a roster in words.
type ModelRoster struct {
	// Identities by key id: "name roles N", and " revoked hash …" behind it.
	Identities map[string]string
	// Assignments of gateways not revoked: "station gateway work-centre intake",
	// where an absent work centre is "-" and intake is "intake" or "-".
	Assignments []string
	// Admins in force, "name key-id", in the order that the statement gives, and
	// how many of them must sign.
	Admins    []string
	Threshold int
	// Tickets by code key id, open and redeemed ones: "name roles N station -
	// work-centre intake", and " redeemed key …", " revoked hash …" behind it.
	Tickets map[string]string
	// Parameters by name.
	Parameters map[string]int64
	// Statements held that do not count yet, and changes of admins of which none
	// applies: their hashes.
	Uncounted, Contested []string
	// Heads are the statements held on which no other builds.
	Heads []string
}

var errModelForm = errors.New("not in the form that the protocol gives")

// NewModel returns a model of the network that the genesis founds.
func NewModel(genesis []byte) (*Model, error) {
	m := &Model{blocks: map[string]*mBlock{}, statements: map[string]*mStatement{}, sigs: map[string]bool{}}
	g, err := parseModelGenesis(genesis)
	if err != nil {
		return nil, fmt.Errorf("reading genesis: %w", err)
	}
	m.genesis, m.net = g, sha(genesis)
	return m, nil
}

// Add takes a block or a statement as it travels. It returns an error for bytes
// that are neither. What cannot be linked yet is kept, and what breaks a rule of
// PROTOCOL.md §7 or §9 is left out of the views.
func (m *Model) Add(raw []byte) error {
	if len(raw) == 0 {
		return fmt.Errorf("nothing in it: %w", errModelForm)
	}
	if raw[0]>>5 == majorArray {
		b, err := m.parseBlock(raw)
		if err != nil {
			return fmt.Errorf("reading a block: %w", err)
		}
		if _, held := m.blocks[b.hash]; !held {
			m.blocks[b.hash] = b
		}
		return nil
	}
	s, err := m.parseStatement(raw)
	if err != nil {
		return fmt.Errorf("reading a statement: %w", err)
	}
	m.statements[s.hash] = s
	return nil
}

// Views works out everything that follows from what was added.
func (m *Model) Views() ModelViews { return newModelWorld(m).views() }

// Diff returns "" if the views are equal, else the first differences of each
// part, where v is named "model" and o "replica".
func (v ModelViews) Diff(o ModelViews) string {
	var d differences
	for _, id := range unionKeys(v.Items, o.Items) {
		a, inModel := v.Items[id]
		b, inReplica := o.Items[id]
		if inModel != inReplica {
			d.add("item "+id, fmt.Sprint(inModel), fmt.Sprint(inReplica))
			continue
		}
		name := "item " + id + " "
		d.add(name+"is", fmt.Sprint(a.Label, " ", a.Product, " ", a.Lot), fmt.Sprint(b.Label, " ", b.Product, " ", b.Lot))
		d.lists(name+"heads", a.Heads, b.Heads)
		d.lists(name+"tags", a.Tags, b.Tags)
		diffMaps(&d, name+"node ", a.Nodes, b.Nodes)
	}
	diffMaps(&d, "placement ", v.Placements, o.Placements)
	diffMaps(&d, "void ", v.Voids, o.Voids)
	d.lists("evidence", v.Evidence, o.Evidence)
	d.lists("blocks uncounted", v.Uncounted, o.Uncounted)
	for _, tag := range unionKeys(v.Tags, o.Tags) {
		d.lists("tag "+tag, v.Tags[tag], o.Tags[tag])
	}
	v.Roster.diff(o.Roster, &d)
	return d.String()
}

func (r ModelRoster) diff(o ModelRoster, d *differences) {
	diffMaps(d, "identity ", r.Identities, o.Identities)
	d.lists("assignments", r.Assignments, o.Assignments)
	d.lists("admins", r.Admins, o.Admins)
	d.add("threshold", fmt.Sprint(r.Threshold), fmt.Sprint(o.Threshold))
	diffMaps(d, "ticket ", r.Tickets, o.Tickets)
	diffMaps(d, "parameter ", r.Parameters, o.Parameters)
	d.lists("statements uncounted", r.Uncounted, o.Uncounted)
	d.lists("changes contested", r.Contested, o.Contested)
	d.lists("roster heads", r.Heads, o.Heads)
}

// differences gathers lines, the first ones only: one cause has many effects.
type differences struct {
	lines []string
	more  int
}

const mostDifferences = 24

func (d *differences) add(what, model, replica string) {
	if model == replica {
		return
	}
	if len(d.lines) == mostDifferences {
		d.more++
		return
	}
	d.lines = append(d.lines, fmt.Sprintf("%s:\n\tmodel   %s\n\treplica %s", what, model, replica))
}

func (d *differences) lists(what string, model, replica []string) {
	d.add(what, strings.Join(model, " "), strings.Join(replica, " "))
}

func (d *differences) String() string {
	if d.more > 0 {
		return fmt.Sprintf("%s\nand %d more", strings.Join(d.lines, "\n"), d.more)
	}
	return strings.Join(d.lines, "\n")
}

func diffMaps[V comparable](d *differences, what string, model, replica map[string]V) {
	say := func(m map[string]V, k string) string {
		if v, ok := m[k]; ok {
			return fmt.Sprint(v)
		}
		return "(none)"
	}
	for _, k := range unionKeys(model, replica) {
		d.add(what+k, say(model, k), say(replica, k))
	}
}

// sortedKeys returns the keys of a map in ascending order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// sortedValues returns the values of a map by ascending key.
func sortedValues[K cmp.Ordered, V any](m map[K]V) []V {
	out := make([]V, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return out
}

func unionKeys[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return sortedKeys(all)
}

func hexOf(bytes string) string { return hex.EncodeToString([]byte(bytes)) }
