package agent

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

// The algorithm of the paper that Traveler follows, written from its sections V
// and VI-F for a comparison. Left out in its favour are the web server and its
// client: nodes hand each other the bytes that would travel. In the paper nothing
// is kept on a disk, and a block needs no work to be found.

// paperReport is a transaction's value: what a station says of an item (III, V-D).
type paperReport struct {
	Device      string  `json:"device"`
	Failure     string  `json:"failure"`
	NextStation string  `json:"next_station"`
	NextTask    string  `json:"next_task"`
	Order       string  `json:"order_id"`
	Process     string  `json:"process"`
	Product     string  `json:"product_id"`
	Station     string  `json:"station"`
	Weight      float64 `json:"weight"`
}

// paperTx is a transaction; its fields are in the order of their names, as to_dict
// and hash need them (V-D, V-F6).
type paperTx struct {
	Receiver  string      `json:"receiver"`
	Sender    string      `json:"sender"` // the public key is the address (VII)
	Signature string      `json:"signature,omitempty"`
	Value     paperReport `json:"value"`
}

// paperBlock is a block (V-E).
type paperBlock struct {
	Number       int       `json:"block_number"`
	Nonce        int       `json:"nonce"`
	PreviousHash string    `json:"previous_hash"`
	Time         float64   `json:"timestamp"`
	Transactions []paperTx `json:"transactions"`
}

// paperNode is the Blockchain class of one node (V-F).
type paperNode struct {
	id           string
	transactions []paperTx // the pool
	chain        []paperBlock
	nodes        []*paperNode
}

// paperRewarder sends the mining rewards, which count validations.
const paperRewarder = "The Blockchain"

func newPaperNode(id string) *paperNode {
	n := &paperNode{id: id}
	n.createBlock(0, "00") // V-F1
	return n
}

// digest is what is signed: the transaction without its signature.
func (t paperTx) digest() ([32]byte, error) {
	t.Signature = ""
	raw, err := json.Marshal(t)
	return sha256.Sum256(raw), err
}

// sign is sign_transaction: PKCS #1 v1.5 under 1,024 bits (V-B).
func (t paperTx) sign(key *rsa.PrivateKey) (paperTx, error) {
	sum, err := t.digest()
	if err != nil {
		return t, err
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	t.Signature = hex.EncodeToString(signature)
	return t, err
}

var errPaper = errors.New("invalid")

// verify is verify_transaction_signature.
func (t paperTx) verify() error {
	if t.Sender == paperRewarder {
		return nil
	}
	der, err := hex.DecodeString(t.Sender)
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return err
	}
	signature, err := hex.DecodeString(t.Signature)
	if err != nil {
		return err
	}
	sum, err := t.digest()
	if err != nil {
		return err
	}
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
}

// hash is that of a block as JSON with sorted keys (V-F6).
func (b paperBlock) hash() (string, error) {
	raw, err := json.Marshal(b)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), err
}

// next is the station that a block names for the item; empty: any.
func (b paperBlock) next() string {
	for _, t := range b.Transactions {
		if t.Sender != paperRewarder {
			return t.Value.NextStation
		}
	}
	return ""
}

// submit is submit_transaction, from the bytes of the request.
func (n *paperNode) submit(request []byte) error {
	var t paperTx
	if err := json.Unmarshal(request, &t); err != nil {
		return err
	}
	if err := t.verify(); err != nil {
		return err
	}
	n.transactions = append(n.transactions, t)
	return nil
}

func (n *paperNode) createBlock(nonce int, previous string) paperBlock {
	b := paperBlock{
		Number: len(n.chain) + 1, Nonce: nonce, PreviousHash: previous,
		Time: float64(time.Now().UnixNano()) / 1e9, Transactions: n.transactions,
	}
	n.transactions = nil
	n.chain = append(n.chain, b)
	return b
}

// follows checks one block against the one before it: its hash, the station, and
// the signatures.
func follows(before, b paperBlock) error {
	h, err := before.hash()
	if err != nil || h != b.PreviousHash {
		return fmt.Errorf("%w: block %d: previous hash", errPaper, b.Number)
	}
	for _, t := range b.Transactions {
		if err := t.verify(); err != nil {
			return err
		}
		if want := before.next(); t.Sender != paperRewarder && want != "" && t.Value.Station != want {
			return fmt.Errorf("%w: block %d: station %s, not %s", errPaper, b.Number, t.Value.Station, want)
		}
	}
	return nil
}

// mine is proof_of_authority on the previous block, then create_block (V-F7, VI-F4).
func (n *paperNode) mine(station string) error {
	last := n.chain[len(n.chain)-1]
	if len(n.chain) > 1 {
		if err := follows(n.chain[len(n.chain)-2], last); err != nil {
			return err
		}
	}
	if want := last.next(); want != "" && want != station {
		return fmt.Errorf("%w: the item belongs to %s", errPaper, want)
	}
	h, err := last.hash()
	if err != nil {
		return err
	}
	n.transactions = append(n.transactions, paperTx{Sender: paperRewarder, Receiver: n.id})
	n.createBlock(0, h)
	return nil
}

// paperChain is the answer to a request for the chain (VI-F3).
type paperChain struct {
	Chain  []paperBlock `json:"chain"`
	Length int          `json:"length"`
}

// valid is valid_chain (V-F8).
func (c paperChain) valid() error {
	for i := 1; i < len(c.Chain); i++ {
		if err := follows(c.Chain[i-1], c.Chain[i]); err != nil {
			return err
		}
	}
	return nil
}

// resolve is resolve_conflicts: the longest valid chain takes the place of the own
// one, and transactions of invalidated blocks go back to the pool (V-F9, V-F10).
func (n *paperNode) resolve() error {
	for _, other := range n.nodes {
		answer, err := json.Marshal(paperChain{other.chain, len(other.chain)})
		if err != nil {
			return err
		}
		var c paperChain
		if err := json.Unmarshal(answer, &c); err != nil {
			return err
		}
		if c.Length <= len(n.chain) {
			continue
		}
		if err := c.valid(); err != nil {
			return err
		}
		for i, old := range n.chain {
			if i >= len(c.Chain) || old.PreviousHash != c.Chain[i].PreviousHash {
				n.returnToPool(old)
			}
		}
		n.chain = c.Chain
	}
	return nil
}

func (n *paperNode) returnToPool(b paperBlock) {
	for _, t := range b.Transactions {
		if t.Sender != paperRewarder {
			n.transactions = append(n.transactions, t)
		}
	}
}

// paperLine is two stations that an item goes back and forth between, and their
// nodes.
type paperLine struct {
	keys    [2]*rsa.PrivateKey
	address [2]string
	here    *paperNode
	there   *paperNode
	scans   int
}

func newPaperLine(t testing.TB) *paperLine {
	t.Helper()
	l := &paperLine{here: newPaperNode("here"), there: newPaperNode("there")}
	l.there.chain = l.here.chain
	l.here.nodes, l.there.nodes = []*paperNode{l.there}, []*paperNode{l.here}
	for i := range l.keys {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		must(t, err)
		l.keys[i], l.address[i] = key, hex.EncodeToString(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	}
	return l
}

// scan has an item reported and the block before it validated, at the node here.
func (l *paperLine) scan(t testing.TB) {
	t.Helper()
	i := l.scans % 2
	l.scans++
	name := []string{"DRILL-1", "PACK-1"}
	tx, err := paperTx{Sender: l.address[i], Receiver: l.address[1-i], Value: paperReport{
		Device: "reader", Process: "drill", Station: name[i], NextStation: name[1-i], NextTask: "pack", Order: "WO-1",
		Product: fmt.Sprintf("04%012X", l.scans), Weight: 12.5,
	}}.sign(l.keys[i])
	must(t, err)
	request, err := json.Marshal(tx)
	must(t, err)
	must(t, l.here.submit(request))
	must(t, l.here.mine(name[i]))
}

// TestPaper holds the comparison to doing what the paper says.
func TestPaper(t *testing.T) {
	l := newPaperLine(t)
	for range 5 {
		l.scan(t)
	}
	must(t, l.there.resolve())
	if len(l.there.chain) != 6 {
		t.Fatalf("%d blocks over there, want the genesis and 5", len(l.there.chain))
	}
	if err := l.here.mine("DRILL-1"); !errors.Is(err, errPaper) {
		t.Errorf("a wrong station: %v", err)
	}
	l.scan(t)
	l.here.chain[3].Transactions[0].Value.Weight++
	if err := l.there.resolve(); err == nil || len(l.there.chain) != 6 {
		t.Errorf("a longer chain with a forged report was taken: %v", err)
	}
	bare := l.there.chain[2].Transactions[0]
	bare.Value.Failure = "none"
	request, err := json.Marshal(bare)
	must(t, err)
	if l.there.submit(request) == nil {
		t.Error("a forged transaction was taken into the pool")
	}
	lone := newPaperLine(t)
	lone.scan(t)
	lone.there.nodes = []*paperNode{{chain: append(lone.there.chain[:1:1], l.there.chain[1:]...)}}
	if lone.there.resolve() == nil {
		t.Error("a chain that does not follow its genesis was taken")
	}
}
