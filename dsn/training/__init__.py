"""Training: the loop, its optimisers and schedules, the policy by itself, distillation."""
