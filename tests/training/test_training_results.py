from clip2point.training.training_results import ValidationResult


def test_the_best_weights_have_the_highest_accuracy_or_the_lowest_cross_entropy():
    first, second = ValidationResult(0.9, 0.7, 0.5, 10.0), ValidationResult(0.8, 0.75, 0.4, 10.0)
    assert first.score("accuracy") > second.score("accuracy")
    assert first.score("cross_entropy") < second.score("cross_entropy")
    assert first.to_dict() == {"accuracy": 0.9, "mean_class_accuracy": 0.7, "cross_entropy": 0.5}
