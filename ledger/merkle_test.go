package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// treeHash is RFC 6962 §2.1 over leaves of any length, by its words: an odd node
// rises, which splits at the largest power of two below the count.
func treeHash(leaves [][]byte) Hash {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	var level []Hash
	for _, l := range leaves {
		level = append(level, sha256.Sum256(append([]byte{0}, l...)))
	}
	for len(level) > 1 {
		var up []Hash
		for i := 0; i < len(level); i += 2 {
			if i+1 == len(level) {
				up = append(up, level[i])
				break
			}
			up = append(up, sha256.Sum256(append(append([]byte{1}, level[i][:]...), level[i+1][:]...)))
		}
		level = up
	}
	return level[0]
}

// TestMerkleKnownAnswers holds treeHash to the known answers of certificate
// transparency's reference tree, and MerkleRoot to treeHash.
func TestMerkleKnownAnswers(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var raw [][]byte
	for n, want := range roots {
		if got := treeHash(raw); got.String() != want {
			t.Errorf("%d leaves: %s, want %s", n, got, want)
		}
		if n < len(leaves) {
			l, err := hex.DecodeString(leaves[n])
			if err != nil {
				t.Fatal(err)
			}
			raw = append(raw, l)
		}
	}
	var ids []TxID
	raw = nil
	for n := range MaxBlockTxs + 1 {
		if got, want := MerkleRoot(ids), treeHash(raw); got != want {
			t.Fatalf("%d ids: %s, want %s", n, got, want)
		}
		ids = append(ids, plantHash(string(rune(n))))
		raw = append(raw, append([]byte(nil), ids[n][:]...))
	}
}

func TestMerkleOrderMatters(t *testing.T) {
	a, b := plantHash("a"), plantHash("b")
	if MerkleRoot([]TxID{a, b}) == MerkleRoot([]TxID{b, a}) || MerkleRoot([]TxID{a}) == Hash(a) {
		t.Error("a root says in which order the leaves stand")
	}
}
