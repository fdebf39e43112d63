"""Training under the policy that a network has."""

import torch

from dsn.training.gates import JITTER, own_gates


def test_gates_are_the_policys_at_a_dial_near_0() -> None:
    torch.manual_seed(0)
    logits = torch.randn(8, 500, 3, 2, requires_grad=True)
    gate = own_gates(logits)
    assert not gate.requires_grad
    margin = (logits[..., 1] - logits[..., 0]).detach()
    for k in range(8):
        opened, closed = margin[k][gate[k] == 1], margin[k][gate[k] == 0]
        assert opened.min() > closed.max()  # one threshold for the whole signal
        assert abs(float(opened.min())) < 4 * JITTER
    assert len({float(one.mean()) for one in gate}) == 8
