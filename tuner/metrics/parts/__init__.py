"""What metrics are made of: sums over rows, areas and ranks, and the best answers that ignore the features."""
