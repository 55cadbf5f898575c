package plant

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// link finds the blocks held (§5, §7) and tells which of them count (§9).
func (w *mWorld) link() {
	m := w.model
	var all []*mBlock
	for _, b := range m.blocks {
		b.at, b.held, b.authentic, b.counted, b.before = nil, false, false, false, nil
		all = append(all, b)
	}
	slices.SortFunc(all, compareBlocks)
	var linked []*mBlock
	numbers := map[string]int{} // of each author's blocks, as they come
	for _, b := range all {
		if w.links(b) {
			b.number = numbers[b.author]
			numbers[b.author]++
			w.linked[b.hash] = b
			linked = append(linked, b)
		}
	}
	for _, b := range slices.Backward(linked) {
		if b.authentic || m.verify(b.at.people[b.author].key, b.signs, b.sig) {
			b.authentic = true
			for _, older := range []string{b.prev, b.also} {
				if o := w.linked[older]; o != nil {
					o.authentic = true
				}
			}
		}
	}
	for _, b := range linked {
		if b.held = b.authentic; b.held {
			b.counted = w.countsBlock(b)
			w.blocks = append(w.blocks, b)
		}
	}
}

func compareBlocks(a, b *mBlock) int {
	return cmp.Or(cmp.Compare(a.height, b.height), cmp.Compare(a.author, b.author), cmp.Compare(a.hash, b.hash))
}

// links tells whether everything that a block rests on is here and the rules of
// §7 hold, its signature left aside. Blocks of lower heights were linked before.
func (w *mWorld) links(b *mBlock) bool {
	genesis := &mBlock{hash: string(w.model.net[:]), author: b.author, skip: string(w.model.net[:]), before: new(big.Int), number: -1}
	at := func(hash string) *mBlock {
		if hash == genesis.hash {
			return genesis
		}
		return w.linked[hash]
	}
	prev, also := at(b.prev), w.linked[b.also]
	if prev == nil || prev.author != b.author || prev.height+1 != b.height || !w.register.holds(b.roster) || b.also != "" && also == nil {
		return false
	}
	b.before = extend(prev)
	if also != nil {
		if also.author != b.author || prev.has(also) || prev.height < also.height || prev.height == also.height && prev.hash > also.hash {
			return false
		}
		b.before.Or(b.before, extend(also))
	}
	skip := prev.hash
	if s := at(prev.skip); prev.height-s.height == s.height-at(s.skip).height {
		skip = s.skip
	}
	if prev == genesis {
		skip = genesis.hash
	}
	set := w.register.closure(b.roster)
	for _, older := range []*mBlock{prev, also} {
		if older != nil && slices.ContainsFunc(older.roster, func(h string) bool { return !set[h] }) {
			return false
		}
	}
	b.at = w.register.roster(b.roster)
	return b.skip == skip && b.at.has(b.author, roleGateway)
}

// extend returns the numbers of a block and of all before it.
func extend(b *mBlock) *big.Int {
	set := new(big.Int).Set(b.before)
	if b.number >= 0 {
		set.SetBit(set, b.number, 1)
	}
	return set
}

// has tells whether a block of the same author is b or an ancestor of it.
func (b *mBlock) has(older *mBlock) bool {
	return b == older || older.number >= 0 && b.before.Bit(older.number) == 1
}

// countsBlock: the author is not revoked, or the block is one of the heads that
// the revocation names, or before one.
func (w *mWorld) countsBlock(b *mBlock) bool {
	if !w.roster.isRevoked(b.author) {
		return true
	}
	for head := range w.roster.revoked[b.author] {
		if h := w.linked[head]; h != nil && h.authentic && h.author == b.author && h.has(b) {
			return true
		}
	}
	return false
}

// evidence names the authors of whom two blocks of one height are held.
func (w *mWorld) evidence() []string {
	at := map[string][]string{} // author and height to hashes
	var out []string
	named := map[string]bool{}
	for _, b := range w.blocks {
		key := fmt.Sprintf("%s/%d", hexOf(b.author), b.height)
		at[key] = append(at[key], hexOf(b.hash))
	}
	for _, b := range w.blocks { // by height
		key := fmt.Sprintf("%s/%d", hexOf(b.author), b.height)
		if len(at[key]) > 1 && !named[b.author] {
			named[b.author] = true
			slices.Sort(at[key])
			out = append(out, key+" "+strings.Join(at[key], " "))
		}
	}
	slices.Sort(out)
	return out
}
