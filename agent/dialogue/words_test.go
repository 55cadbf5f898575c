package dialogue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"traveler.example/agent/mqtt"
	"traveler.example/agent/peer"
	"traveler.example/ledger"
)

// words gives names to keys, blocks, statements and items, and puts messages
// into a line. The scene's lock guards it.
type words struct {
	net        ledger.NetworkID
	topics     peer.Topics
	names      map[ledger.KeyID]string
	blocks     map[ledger.Hash]string
	versions   map[string]int // by author and height
	items      map[ledger.ItemID]string
	labels     map[string]int
	statements map[ledger.Hash]string
	txs        map[ledger.TxID]string
}

func newWords(net ledger.NetworkID) *words {
	return &words{
		net: net, topics: peer.TopicsOf(net), names: map[ledger.KeyID]string{}, blocks: map[ledger.Hash]string{}, versions: map[string]int{},
		items: map[ledger.ItemID]string{}, labels: map[string]int{}, statements: map[ledger.Hash]string{}, txs: map[ledger.TxID]string{},
	}
}

func (w *words) name(k ledger.KeyID) string { return cmp.Or(w.names[k], "somebody") }

func (w *words) known(h ledger.Hash) bool { return w.blocks[h] != "" }

// learn names a block, and the items that it takes in. A second block of one
// height has a stroke, a second item of one label a number.
func (w *words) learn(b ledger.UnverifiedBlock) {
	if w.known(b.Hash()) {
		return
	}
	at := fmt.Sprintf("%s/%d", w.name(b.Header().Author), b.Header().Height)
	w.blocks[b.Hash()] = at + strings.Repeat("′", w.versions[at])
	w.versions[at]++
	for _, t := range b.Txs() {
		if in, is := t.Body.(ledger.Intake); is && w.items[t.ID()] == "" {
			w.labels[in.Label]++
			w.items[t.ID()] = in.Label
			if n := w.labels[in.Label]; n > 1 {
				w.items[t.ID()] = fmt.Sprintf("%s (%d)", in.Label, n)
			}
		}
		w.txs[t.ID()] = w.tx(t)
	}
}

// state names a roster statement.
func (w *words) state(s ledger.Statement) string {
	if w.statements[s.Hash()] == "" {
		w.statements[s.Hash()] = fmt.Sprintf("s%d", len(w.statements)+1)
	}
	return w.statements[s.Hash()]
}

// plain puts names in the place of keys, items, statements and transactions.
func (w *words) plain(text string) string {
	var pairs []string
	for id, name := range w.txs {
		pairs = append(pairs, id.Short(), name)
	}
	for id, name := range w.items {
		pairs = append(pairs, "id "+id.Short(), "the id of "+name)
	}
	for id, name := range w.names {
		pairs = append(pairs, id.String(), name, id.Short(), name)
	}
	for h, name := range w.statements {
		pairs = append(pairs, h.String(), name, h.Short(), name)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (w *words) item(id ledger.ItemID) string { return cmp.Or(w.items[id], "?") }

func (w *words) ref(r ledger.Ref) string {
	return cmp.Or(w.blocks[r.Hash], fmt.Sprintf("%s/%d?", w.name(r.Author), r.Height))
}

// hash names a block or a statement.
func (w *words) hash(h ledger.Hash) string { return cmp.Or(w.blocks[h], w.statements[h], "?") }

func (w *words) refs(rs []ledger.Ref) string { return list(rs, w.ref) }

func list[T any](vs []T, name func(T) string) string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = name(v)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// block is a block with what it says.
func (w *words) block(b ledger.UnverifiedBlock) string {
	var says []string
	for _, t := range b.Txs() {
		says = append(says, w.tx(t))
	}
	text := w.blocks[b.Hash()]
	if also := b.Header().Also; !also.IsZero() {
		text += " joins " + w.hash(also)
	}
	if len(says) > 0 {
		text += " [" + strings.Join(says, "; ") + "]"
	}
	return text
}

func (w *words) tx(t ledger.Tx) string {
	text := w.body(t)
	if len(t.Sig) > 0 {
		text += " by " + w.name(t.Sender)
	}
	if len(t.Operators) > 0 {
		text += " signed by " + list(t.Operators, w.name)
	}
	return text
}

func (w *words) body(t ledger.Tx) string {
	item := w.item(t.ItemID())
	switch b := t.Body.(type) {
	case ledger.Order:
		switch {
		case b.Cancelled == 1:
			return "cancel order " + b.ID
		case !b.Replaces.IsZero():
			return "order " + b.ID + " in the place of another"
		}
		return "order " + b.ID
	case ledger.Intake:
		return "intake of " + item + next(b.Options)
	case ledger.Report:
		return w.report(b, item)
	case ledger.Verdict:
		return fmt.Sprintf("%s %s of %s", b.Ruling, b.Operation, item)
	case ledger.Disposition:
		text := fmt.Sprintf("%s %s", item, b.Ruling)
		if b.Place != "" {
			text += fmt.Sprintf(" %s at %s", b.Operation, b.Place)
		}
		if len(t.After) > 1 {
			text += fmt.Sprintf(" after %d heads", len(t.After))
		}
		return text
	case ledger.Withdraw:
		return "withdraw on " + item
	case ledger.Amend:
		return "amend on " + item
	case ledger.Bind:
		return fmt.Sprintf("bind %s to %s", strings.Join(b.Tags, ", "), item)
	case ledger.Misroute:
		return "misroute of " + item
	}
	return t.Kind.String()
}

func (w *words) report(b ledger.Report, item string) string {
	text := fmt.Sprintf("report %s of %s", b.Operation, item)
	for _, m := range b.Measurements {
		text += fmt.Sprintf(" %s=%s%s", m.Name, ledger.FormatDecimal(m.Value, int(m.Exponent)), m.Unit)
	}
	if b.Weight > 0 {
		text += fmt.Sprintf(" weight=%sg", ledger.FormatDecimal(b.Weight, -3))
	}
	if len(b.Inputs) > 0 {
		text += " with " + list(b.Inputs, func(in ledger.Input) string { return w.item(in.Item) })
	}
	switch {
	case b.Outcome == ledger.OutcomeFail:
		return text + " failed"
	case len(b.Options) == 0:
		return text + ", finished"
	}
	return text + next(b.Options)
}

func next(options []ledger.Option) string {
	var places []string
	for _, o := range options {
		if !slices.Contains(places, o.Place) {
			places = append(places, o.Place)
		}
	}
	return " → " + strings.Join(places, " or ")
}

// change is one line of a roster statement.
func (w *words) change(c ledger.Change) string {
	switch c.Kind {
	case ledger.ChangeEnrol:
		return "enrol " + c.Name
	case ledger.ChangeAssign:
		return fmt.Sprintf("assign %s to %s", c.Station, w.name(c.Subject))
	case ledger.ChangeRevoke:
		if len(c.Heads) == 0 {
			return "revoke " + w.name(c.Subject)
		}
		return fmt.Sprintf("revoke %s after %s", w.name(c.Subject), list(c.Heads, w.hash))
	case ledger.ChangeTicket:
		return "ticket for " + c.Name
	case ledger.ChangeRedeem:
		return "redeem the ticket for " + w.name(c.Key.ID())
	}
	return c.Kind.String()
}

// message puts a message into its receiver (of those to all: *) and a line.
func (w *words) message(m mqtt.Message) (to, text string) {
	id, _ := ledger.ParseKeyID(m.Topic[strings.LastIndexByte(m.Topic, '/')+1:])
	switch m.Topic {
	case w.topics.Block(id):
		if b, err := ledger.ParseBlock(w.net, m.Payload); err == nil {
			w.learn(b)
			return "*", "block " + w.blocks[b.Hash()]
		}
	case w.topics.Frontier(id):
		if f, err := ledger.ParseFrontier(m.Payload); err == nil {
			return "*", "frontier " + w.refs(f.Entries)
		}
	case w.topics.Evidence(id):
		if e, err := ledger.ParseEvidence(m.Payload); err == nil {
			return "*", "evidence against " + w.name(id) + ": " + w.sides(e)
		}
	case w.topics.Status(id):
		if s, err := peer.ParseStatus(m.Payload); err == nil {
			return "*", w.status(s, id)
		}
	case w.topics.Roster():
		if h, err := peer.ParseHeads(m.Payload); err == nil {
			return "*", "roster " + list(h.Heads, w.hash)
		}
	case w.topics.Ask(id):
		if a, err := peer.ParseAsk(m.Payload); err == nil {
			return w.name(id), w.ask(a)
		}
	case w.topics.Give(id):
		if g, err := peer.ParseGive(m.Payload); err == nil {
			return w.name(id), w.give(g)
		}
	}
	return "*", fmt.Sprintf("%d bytes on %s that nobody can read", len(m.Payload), m.Topic)
}

func (w *words) sides(e ledger.Evidence) string {
	a, b, err := e.Verify(w.net, func(id ledger.KeyID) (ledger.PublicKey, bool) {
		k := publicKey(w.name(id))
		return k, k.ID() == id
	})
	if err != nil {
		return err.Error()
	}
	return w.refs([]ledger.Ref{a, b})
}

func (w *words) status(s peer.Status, id ledger.KeyID) string {
	text := "status"
	if s.Height > 0 {
		text += " " + w.ref(ledger.Ref{Author: id, Height: s.Height, Hash: s.Head})
	}
	if s.Offline == 1 {
		text += " offline"
	}
	return text
}

func (w *words) ask(a peer.Ask) string {
	var parts []string
	for _, r := range a.Ranges {
		parts = append(parts, fmt.Sprintf("%s/%d..%d", w.name(r.Author), r.From, r.To))
	}
	slices.Sort(parts)
	if len(a.Hashes) > 0 {
		parts = append(parts, list(a.Hashes, w.hash))
	}
	if len(a.Authors) > 0 {
		parts = append(parts, "heads of "+list(a.Authors, w.name))
	}
	if a.All == 1 {
		parts = append(parts, "heads of all")
	}
	return "ask " + strings.Join(parts, "; ")
}

func (w *words) give(g peer.Give) string {
	var parts []string
	if len(g.Statements) > 0 {
		parts = append(parts, list(g.Statements, func(raw []byte) string {
			s, err := ledger.ParseStatement(w.net, raw)
			if err != nil {
				return "?"
			}
			return w.state(s)
		}))
	}
	if len(g.Blocks) > 0 {
		parts = append(parts, list(g.Blocks, func(raw []byte) string {
			b, err := ledger.ParseBlock(w.net, raw)
			if err != nil {
				return "?"
			}
			w.learn(b)
			return w.blocks[b.Hash()]
		}))
	}
	if len(g.Heads) > 0 {
		parts = append(parts, "heads "+w.refs(g.Heads))
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing")
	}
	if g.More == 1 {
		parts = append(parts, "more is held")
	}
	return "give " + strings.Join(parts, "; ")
}
