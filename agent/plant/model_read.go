package plant

import (
	"fmt"
	"math/big"
	"slices"
)

// mGenesis is the founding of a network.
type mGenesis struct {
	name      string
	admins    []mAdmin
	threshold int
	recovery  mKey
}

type mAdmin struct {
	name string
	key  mKey
}

// mTx is a transaction as it stands in a block.
type mTx struct {
	id, sender, item string
	kind             int64
	after, about     []string
	body             mObject // nil for a kind that the model does not know
	time             int64
	sig, signs       string // signs: the digest that its sender signs
}

// mBlock is a block as it travels, with what the views work out about it.
type mBlock struct {
	hash, author, prev, also, skip string
	height                         int64
	roster                         []string
	sig, signs                     string
	txs                            []*mTx

	authentic, held, counted bool
	at                       *mRoster // as the block cites it
	number                   int      // among its author's blocks
	before                   *big.Int // numbers of all blocks reached by prev and also
}

func (b *mBlock) name() string {
	return fmt.Sprintf("%s/%d/%s", hexOf(b.author), b.height, hexOf(b.hash))
}

// mStatement is a roster statement as it travels.
type mStatement struct {
	hash     string
	buildsOn []string
	changes  []mObject
	sigs     []mObject
	signs    string
}

func parseModelGenesis(raw []byte) (mGenesis, error) {
	o, err := readObject("genesis", raw, 65536)
	if err != nil {
		return mGenesis{}, err
	}
	g := mGenesis{
		name: o.str("name"), admins: modelAdmins(o), threshold: int(o.num("threshold")), recovery: modelKey(o.obj("recovery")),
	}
	if slices.ContainsFunc(g.admins, func(a mAdmin) bool { return a.key == g.recovery }) {
		return g, fmt.Errorf("recovery is an admin's key: %w", errModelForm)
	}
	return g, nil
}

func modelAdmins(o mObject) []mAdmin {
	var admins []mAdmin
	for _, a := range o.objs("admins") {
		admins = append(admins, mAdmin{a.str("name"), modelKey(a.obj("key"))})
	}
	return admins
}

func (m *Model) parseStatement(raw []byte) (*mStatement, error) {
	o, err := readObject("statement", raw, 65536)
	if err != nil {
		return nil, err
	}
	if !o.has("sigs") {
		return nil, fmt.Errorf("statement is not signed: %w", errModelForm)
	}
	return &mStatement{
		hash: m.digest("traveler/1/roster", raw), buildsOn: o.strs("builds_on"), changes: o.objs("changes"), sigs: o.objs("sigs"),
		signs: m.digest("traveler/1/roster/sig", without(raw, 5)),
	}, nil
}

func (m *Model) parseBlock(raw []byte) (*mBlock, error) {
	o, err := readObject("block", raw, 65536)
	if err != nil {
		return nil, err
	}
	header := []byte(o.str("header"))
	h, err := readObject("header", header, 65536)
	if err != nil {
		return nil, err
	}
	pair, err := modelCodec().enc.Marshal([]any{header, []byte(o.str("sig"))})
	if err != nil {
		return nil, err
	}
	b := &mBlock{
		hash: m.digest("traveler/1/block", pair), author: h.str("author"), prev: h.str("prev"), also: h.str("also"),
		skip: h.str("skip"), height: h.num("height"), roster: h.strs("roster"), sig: o.str("sig"),
		signs: m.digest("traveler/1/block/sig", header),
	}
	for i, rawTx := range o.strs("txs") {
		t, err := m.parseTx([]byte(rawTx))
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
		b.txs = append(b.txs, t)
	}
	if h.num("count") != int64(len(b.txs)) || h.str("root") != modelRoot(b.txs) {
		return nil, fmt.Errorf("root and count are not those of its transactions: %w", errModelForm)
	}
	return b, nil
}

// modelRoot is the tree hash of RFC 6962 §2.1 over the transactions' ids.
func modelRoot(txs []*mTx) string {
	var sum [32]byte
	switch n := len(txs); n {
	case 0:
		sum = sha(nil)
	case 1:
		sum = sha([]byte("\x00" + txs[0].id))
	default:
		half := 1
		for half*2 < n {
			half *= 2
		}
		sum = sha([]byte("\x01" + modelRoot(txs[:half]) + modelRoot(txs[half:])))
	}
	return string(sum[:])
}

var modelKinds = map[int64]string{
	1: "order", 2: "intake", 3: "report", 4: "verdict", 5: "disposition", 6: "withdraw", 7: "amend", 8: "bind", 9: "misroute",
}

func (m *Model) parseTx(raw []byte) (*mTx, error) {
	o, err := readObject("tx", raw, 8192)
	if err != nil {
		return nil, err
	}
	t := &mTx{
		id: m.digest("traveler/1/tx", raw), kind: o.num("kind"), sender: o.str("sender"), item: o.str("item"), time: o.num("time"),
		after: o.strs("after"), about: o.strs("about"), sig: o.str("sig"),
	}
	if t.sig != "" {
		t.signs = m.digest("traveler/1/tx/sig", without(raw, 11))
	}
	kind, known := modelKinds[t.kind]
	if !known {
		return t, nil
	}
	if t.body, err = readObject(kind, []byte(o.str("body")), 8192); err != nil {
		return nil, err
	}
	return t, t.checkLinks()
}

// checkLinks holds item, after and about to the second table of §4.2.
func (t *mTx) checkLinks() error {
	type span [2]int
	after := map[int64]span{3: {1, 1}, 4: {1, 1}, 5: {1, 16}, 6: {1, 16}}[t.kind]
	about := map[int64]span{7: {1, 1}, 8: {0, 1}}[t.kind]
	wantsItem := t.kind > 2
	if wantsItem != (t.item != "") || len(t.after) < after[0] || len(t.after) > after[1] ||
		len(t.about) < about[0] || len(t.about) > about[1] {
		return fmt.Errorf("%s with item %t, %d after, %d about: %w", modelKinds[t.kind], t.item != "", len(t.after), len(t.about), errModelForm)
	}
	return nil
}
